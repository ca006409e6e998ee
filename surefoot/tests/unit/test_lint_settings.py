"""[tool.surefoot.lint]: the levels of a project, and what is refused there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from surefoot.errors import UsageError
from surefoot.linting.settings import LintSettings
from surefoot.rules.findings import Finding

SETTINGS = """\
[tool.surefoot.lint]
fail-on = "warning"
small-tables = ["countries"]
paths = ["versions/new"]

[tool.surefoot.lint.levels]
avoid-length-limit = "off"
require-index-for-foreign-key = "error"
avoid-truncate = "warning"
"""


def finding(rule: str, level: str = "error", *tables: str) -> Finding:
    path = Path("0009_change.py")
    return Finding(rule, level, "0009", path, 1, "c", "h", tables=tables)  # type: ignore[arg-type]


def read(folder: Path, text: str) -> LintSettings:
    (folder / "versions" / "new").mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text, "utf-8")
    return LintSettings.read(folder)


def test_a_project_sets_levels_and_paths(tmp_path: Path) -> None:
    """Without a file, or without the table in it, the rules have their own."""
    settings = read(tmp_path, SETTINGS)
    given = [
        finding("avoid-length-limit", "warning"),
        finding("require-index-for-foreign-key", "warning"),
        finding("avoid-truncate"),
        finding("require-lock-timeout"),
    ]
    assert [(f.rule, f.level) for f in settings.applied(given)] == [
        ("require-index-for-foreign-key", "error"),
        ("avoid-truncate", "warning"),
        ("require-lock-timeout", "error"),
    ]
    assert settings.includes(tmp_path / "versions" / "new" / "0001.py")
    assert not settings.includes(tmp_path / "versions" / "0001.py")
    assert read(tmp_path, "[project]\nname = 'x'\n") == LintSettings()
    (tmp_path / "pyproject.toml").unlink()
    assert LintSettings.read(tmp_path) == LintSettings()
    assert LintSettings().includes(tmp_path)


@pytest.mark.parametrize(
    ("tables", "level"),
    [
        (("countries",), "warning"),
        (("countries", "jobs"), "error"),
        # Its harm does not depend on rows.
        ((), "error"),
    ],
)
def test_work_on_small_tables_alone_is_a_warning(tables: Sequence[str], level: str) -> None:
    """Nobody waits long for it; another table in the same statement keeps the error."""
    settings = LintSettings(small_tables=frozenset({"countries"}))
    (found,) = settings.applied([finding("require-proven-not-null", "error", *tables)])
    assert found.level == level


@pytest.mark.parametrize(
    ("fail_on", "expected"),
    [("error", [True, False]), ("warning", [True, True]), ("never", [False, False])],
)
def test_a_level_decides_the_exit_code(fail_on: str, expected: Sequence[bool]) -> None:
    """Nothing is no reason to fail."""
    settings = replace(LintSettings(), fail_on=fail_on)
    given = ([finding("avoid-truncate")], [finding("avoid-truncate", "warning")])
    assert [settings.fails(each) for each in given] == expected
    assert not settings.fails([])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fail_on = 'error'", "there is no key 'fail_on'; did you mean 'fail-on'?"),
        ("fail-on = 'errors'", "there is no fail-on 'errors'; did you mean 'error'?"),
        ("levels = {avoid-trunkate = 'off'}", "rule 'avoid-trunkate'; did you mean 'avoid-trunc"),
        ("levels = {avoid-truncate = 'of'}", "no level of avoid-truncate 'of'; did you mean 'off'"),
        ("levels = ['avoid-truncate']", "levels is not a table of rules"),
        ("small-tables = 'countries'", "small-tables is not a list of strings"),
        ("paths = ['nowhere']", "paths names nowhere, which does not exist"),
        ("levels = {require-complete-trace = 'off'}", "require-complete-trace stays an error: nob"),
        ("fail-on = ", "it cannot be read: "),
    ],
)
def test_what_is_not_known_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """With the name that was meant."""
    with pytest.raises(UsageError) as refused:
        read(tmp_path, f"[tool.surefoot.lint]\n{text}\n")
    assert said in refused.value.message
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    "text", ["tool.surefoot = 1", "[tool]\nsurefoot = 1", "[tool.surefoot]\nlint = 1"]
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    """Nothing is read out of it."""
    with pytest.raises(UsageError, match=r"it is not a table|it cannot be read"):
        read(tmp_path, text)
