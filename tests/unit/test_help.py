"""The help of every command of `vegafs`, and what a shell completes of it."""

import click
import pytest
from click.shell_completion import ShellComplete

from app.cli import COMMANDS, LINES, vegafs
from harness.helps import Shown, parsed, shown
from tests.support.project import ROOT

ALL = [*shown(vegafs, "vegafs")]
OWN = [each for each in ALL if each.path.split()[1:2] and each.path.split()[1] in COMMANDS]


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.path)
def test_a_command_shows_how_it_is_used(each: Shown) -> None:
    """At least two examples that can be typed, by the name that the user knows."""
    assert len(each.examples) >= 2, each.help
    called = {parsed(vegafs, "vegafs", example) for example in each.examples}
    assert all(path.startswith(each.path) for path in called), called
    assert "surefoot " not in each.help


def test_every_command_of_the_service_is_on_a_page() -> None:
    """Those of the library are on a page of its own."""
    pages = "\n".join(page.read_text("utf-8") for page in (ROOT / "docs").glob("*.md"))
    own = [each.path for each in OWN if not isinstance(each.command, click.Group)]
    assert [path for path in own if path not in pages] == []


def test_a_shell_completes_the_service_s_commands() -> None:
    """With what each takes."""
    own = [each for each in OWN if not isinstance(each.command, click.Group)]
    assert {each.path.partition(" ")[2] for each in own} == LINES.keys()
    for each in own:
        options = {name for p in each.command.params for name in p.opts if name.startswith("-")}
        line = LINES[each.path.partition(" ")[2]]
        assert {word.partition("=")[0] for word in line.split() if word[0] == "-"} == options


def test_targets_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without env.py, which names the same."""
    monkeypatch.setenv("VEGAFS_TARGETS", "eu=postgresql://h/eu us=postgresql://h/us")
    complete = ShellComplete(vegafs, {}, "vegafs", "_VEGAFS_COMPLETE")
    found = complete.get_completions(["status", "--target"], "")
    assert [each.value for each in found] == ["eu", "us"]
    revisions = complete.get_completions(["lint"], "000")
    assert ("0001", "create volumes") in [(each.value, each.help) for each in revisions]
