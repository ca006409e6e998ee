"""The help of every command, and what a shell completes of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from harness.helps import Shown, parsed, shown
from harness.projects import project
from surefoot.cli import surefoot, words
from surefoot.cli.bash import Bash
from surefoot.cli.completion import LINES, outline
from surefoot.errors.base import every_error
from surefoot.rules.registry import RULES

ALL = [*shown(surefoot, "surefoot")]
# Revisions are read from revisions.lock where there is one, or else from the files.
LOCKED = "1a  -  expand  orders  x  -  -\n2b  1a  expand  order_index  x  -  -\n"
BACKFILL = '"""Number the orders."""\n\nraise SystemExit("it is not imported")\n'
ENV = """\
raise SystemExit("it is not run")
TARGETS = {"eu": "postgresql://h/eu", "us": "postgresql://h/us"}
Environment(metadata=None, targets=TARGETS).run()
"""


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.path)
def test_a_command_shows_how_it_is_used(each: Shown) -> None:
    """At least two examples that can be typed, and a word on every option."""
    assert len(each.examples) >= 2, each.help
    called = {parsed(surefoot, "surefoot", example) for example in each.examples}
    assert all(path.startswith(each.path) for path in called), called
    for parameter in each.command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, parameter.name


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.path)
def test_a_help_is_a_text_for_80_columns(each: Shown) -> None:
    """Nothing is cut off, a sentence begins it, and code has one kind of quotes."""
    assert "..." not in each.help.partition("\n\n")[2]
    first = (each.command.help or "").split("\n\n")[0]
    assert re.match(r"[A-Z]", first), first
    assert first.rstrip().endswith((".", "--write.")), first
    assert re.search(r"[“”‘’]", each.help) is None
    assert "RANGE" not in each.help
    examples = {f"    {line}" for line in each.examples}
    assert [x for x in each.help.splitlines() if len(x) > 80 and x not in examples] == []


@pytest.mark.parametrize("name", ["upgrade", "downgrade"])
def test_the_exit_codes_of_a_run_are_told(name: str) -> None:
    """A script that deploys has to know after which it may try again."""
    (found,) = (each for each in ALL if each.path == f"surefoot {name}")
    told = found.help.partition("Exit codes: ")[2].partition("\n\n")[0]
    assert re.findall(r"\d+", told) == ["0", "2", "3", "4", "75", "129", "130", "143"]


def test_an_example_that_does_not_work_is_noticed() -> None:
    """Else the tests above could not fail."""
    for wrong in ("surefoot lint --nope", "surefoot nope", "surefoot db nope", "surefoot squash"):
        with pytest.raises(click.UsageError):
            parsed(surefoot, "surefoot", wrong)


def leaves(of: list[Shown]) -> Iterator[tuple[str, click.Command]]:
    for each in of:
        if not isinstance(each.command, click.Group):
            yield each.path.partition(" ")[2], each.command


def test_a_shell_completes_what_the_commands_take() -> None:
    """Every command has its line in LINES, with its options and arguments, and no other."""
    assert {name for name, _ in leaves(ALL)} == LINES.keys()
    for name, command in leaves(ALL):
        made = outline(name, LINES)
        assert made is not None
        assert takes(made) == takes(command), name


def takes(command: click.Command) -> set[tuple[str, bool, int, tuple[str, ...]]]:
    """Each option by its names, whether it takes a value, how many, and the choices."""
    found = set()
    for each in command.params:
        choices = tuple(each.type.choices) if isinstance(each.type, click.Choice) else ()
        if isinstance(each, click.Option):
            for name in (*each.opts, *each.secondary_opts):
                found.add((name, not each.is_flag, 1, choices))
        else:
            number = sum(isinstance(other, click.Argument) for other in command.params)
            found.add((f"{number} arguments", True, each.nargs, choices))
    return found


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose env.py and backfill cannot be run."""
    folder = project(tmp_path)
    (folder / "migrations/env.py").write_text(ENV)
    (folder / "migrations/revisions.lock").write_text(LOCKED)
    (folder / "migrations/backfills").mkdir()
    (folder / "migrations/backfills/number_orders.py").write_text(BACKFILL)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ALEMBIC_CONFIG", raising=False)
    return folder


def completed(*typed: str) -> dict[str, str | None]:
    """The words that a shell offers for the last one."""
    *before, last = typed
    complete = ShellComplete(surefoot, {}, "surefoot", "_SUREFOOT_COMPLETE")
    return {each.value: each.help for each in complete.get_completions(before, last)}


@pytest.mark.slow
@pytest.mark.usefixtures("shop")
def test_the_words_of_a_project() -> None:
    """Revisions with their titles, rules, codes, backfills and targets; the newest first."""
    assert completed("st") == {
        "status": "Show where the database is: applied and pending revisions, what is next."
    }
    assert completed("lint", "") == {"2b": "order index", "1a": "orders"}
    assert [*completed("upgrade", "")] == ["head", "base", "2b", "1a"]
    assert [*completed("db", "goto", "")] == [*completed("squash", "")] == ["head", "2b", "1a"]
    assert completed("upgrade", "2") == {"2b": "order index"}
    assert [*completed("lock", "--baseline", "1")] == ["1a"]
    assert completed("backfill", "run", "") == {"number_orders": "Number the orders."}
    assert [*completed("plan", "--target", "")] == ["eu", "us"]
    assert [*completed("status", "--target", "u")] == ["us"]
    rule = "avoid-truncate"
    assert completed("explain", "avoid-tr") == {rule: RULES[rule].title}
    assert "mutex-held" in completed("explain", "mutex")
    assert [*completed("lint", "--level", "avoid-tru")] == [
        f"{rule}={level}" for level in ("error", "warning", "off")
    ]
    assert "--execute" in completed("backfill", "run", "number_orders", "--e")


def test_the_rules_are_those_of_the_registry() -> None:
    """Though they are read from the text of its modules."""
    assert words.rule_titles() == {rule.id: rule.title for rule in RULES.values()}
    assert len({each.code for each in every_error()}) > 50


BROKEN = {
    "no ini file": ("alembic.ini", None),
    "an ini file that is none": ("alembic.ini", "[alembic\nx"),
    "a lock in conflict": ("migrations/revisions.lock", "<<<<<<< HEAD\n"),
    "an env.py that is no Python": ("migrations/env.py", "from surefoot import (\n"),
    "a backfill that is no Python": ("migrations/backfills/number_orders.py", "class (\n"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_project_is_silent(shop: Path, case: str) -> None:
    """It has the words that can be read, and no error."""
    name, text = BROKEN[case]
    (shop / name).unlink()
    if text is not None:
        (shop / name).write_text(text)
    lines = (("lint", ""), ("backfill", "run", ""), ("plan", "--target", ""))
    found = [len(completed(*line)) for line in lines]
    ini, env = "ini file" in case, "env.py" in case
    assert found == [0 if ini else 2, 0 if ini else 1, 0 if ini or env else 2]


FORBIDDEN = ("alembic", "sqlalchemy", "asyncpg", "surefoot.trace", "surefoot.cli.lint")


@pytest.mark.sample(4)
@pytest.mark.parametrize("typed", ["lint ", "backfill run ", "explain avoid", "plan --target "])
def test_completion_imports_no_command(shop: Path, typed: str) -> None:
    """A process of its own: a person waits for it after each key."""
    code = (
        "import sys, surefoot.cli as cli\n"
        "try:\n    cli.main([])\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {FORBIDDEN} if m in sys.modules], file=sys.stderr)\n"
    )
    line = f"surefoot {typed}"
    env = {
        "_SUREFOOT_COMPLETE": "zsh_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - (0 if line.endswith(" ") else 1)),
        "PYTHONPATH": ":".join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, cwd=shop
    )
    assert (done.stderr, done.stdout.startswith("plain\n")) == ("[]\n", True), done


@pytest.mark.slow
def test_lint_imports_no_catalog() -> None:
    """Nobody compares a schema there: the command, and the run of a revision that it tries."""
    code = (
        "import sys, surefoot.cli.lint, surefoot.environment.runner\n"
        "print(*(m for m in sys.modules if m.startswith('surefoot.catalog.')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    # That one reads names of types, and nothing else of the package.
    assert done.stdout.split() == ["surefoot.catalog.widening"]


SHELL = """\
eval "$(_SUREFOOT_COMPLETE=bash_source surefoot)"
complete -p surefoot
COMP_WORDS=(surefoot lint 2) COMP_CWORD=2
_surefoot_completion surefoot
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("lint --level avoid-length-limit =", "error warning off"),
        ("lint --level avoid-length-limit = o", "off"),
        ("lint --level = avoid-length-limit = o", "off"),
        ("lint --level avoid-length-limit=o", "avoid-length-limit=off"),
        ("lint --level avoid-length-limit = off 2", "2b"),
        ("lint --format = ma", "markdown"),
        ("lint --format = markdown 1", "1a"),
        ("plan --target =", "eu us"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_an_equals_sign_is_a_word_of_bash(
    monkeypatch: pytest.MonkeyPatch, words: str, offered: str
) -> None:
    """bash replaces the word behind it, which may be a part of a value."""
    monkeypatch.setenv("COMP_WORDS", f"surefoot {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    complete = Bash(surefoot, {}, "surefoot", "_SUREFOOT_COMPLETE")
    assert complete.complete().replace("plain,", "").split() == offered.split()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_line_of_the_documents_works_in_bash(shop: Path) -> None:
    """It registers a function, which answers with the words of the project."""
    page = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
    line = SHELL.splitlines()[0]
    assert f"`{line}`" in page.read_text("utf-8")
    env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    env["PYTHONPATH"] = ":".join(sys.path)
    done = subprocess.run(
        ["bash", "-c", SHELL], env=env, capture_output=True, text=True, check=False, cwd=shop
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.splitlines() == [
        "complete -o nosort -F _surefoot_completion surefoot",
        "2b",
    ]
