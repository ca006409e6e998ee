"""Who may import whom in the library, how large its modules are, and which names it knows."""

import re
from pathlib import Path
from statistics import median

import pytest
from importlinter.cli import lint_imports

LIBRARY = Path(__file__).resolve().parents[2]
SOURCES = sorted((LIBRARY / "src").rglob("*.*"))
MODULES = [path for path in SOURCES if path.suffix == ".py"]


@pytest.mark.slow
def test_modules_import_only_what_they_may(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contracts in pyproject.toml hold: layers, no cycles, nothing of an application."""
    # It would disable every logger that exists, for the tests that come after this one.
    monkeypatch.setattr("importlinter.cli.logging_config.dictConfig", lambda _: None)
    code = lint_imports(config_filename=str(LIBRARY / "pyproject.toml"), no_cache=True)
    assert code == 0, capsys.readouterr().out


def test_modules_are_small() -> None:
    """None is over 300 lines, and the median is at most 110."""
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {path.name: count for path, count in lines.items() if count > 300} == {}
    assert median(count for path, count in lines.items() if path.name != "__init__.py") <= 110


def test_the_library_does_not_know_its_first_user() -> None:
    """Neither its name nor its settings: a project hands in the names that messages use."""
    text = {path: path.read_text("utf-8") for path in SOURCES if path.suffix not in (".pyc", "")}
    assert [
        path.name for path, each in text.items() if re.search(r"v[eē]gafs", each, re.IGNORECASE)
    ] == []
