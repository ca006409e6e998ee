"""The pages name every command, every option and every event."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import click
import pytest

from harness.helps import Shown, shown
from harness.server import LIBRARY
from surefoot import __all__ as exported
from surefoot.backfill import events as of_backfills
from surefoot.cli import surefoot
from surefoot.cli.output import event_name
from surefoot.run import events as of_runs

DOCS = LIBRARY / "docs"
COMMANDS = [
    each for each in shown(surefoot, "surefoot") if not isinstance(each.command, click.Group)
]
# They name options of commands that were measured.
MEASURED = {"benchmarks", "benchmarks-load", "benchmarks-review"}
# They say by themselves what they do.
PLAIN = {"--help", "--version"}
# The end of a run is told by its report; a statement that is seen is told to a terminal alone.
NOT_TOLD = {"finished", "statement_seen"}


def text(*pages: Path) -> str:
    return "\n".join(page.read_text("utf-8") for page in pages)


def test_every_command_has_its_row() -> None:
    """docs/commands.md has the page of each."""
    rows = re.findall(r"^\| (`.*`) \| .* \|$", text(DOCS / "commands.md"), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([a-z -]+)`", row)]
    assert sorted(named) == sorted(each.path.partition(" ")[2] for each in COMMANDS)


@pytest.mark.parametrize("each", COMMANDS, ids=lambda each: each.path)
def test_every_option_is_on_a_page(each: Shown) -> None:
    """By one of its names."""
    pages = text(LIBRARY / "README.md", *(x for x in DOCS.glob("*.md") if x.stem not in MEASURED))
    without = [
        parameter.opts[0]
        for parameter in each.command.params
        if isinstance(parameter, click.Option)
        and not PLAIN & {*parameter.opts}
        and not any(
            re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", pages)
            for name in (*parameter.opts, *parameter.secondary_opts)
        )
    ]
    assert without == []


def test_every_operation_has_its_row() -> None:
    """docs/operations.md has each that is registered with Alembic."""
    sources = text(*(LIBRARY / "src/surefoot/operations").glob("*.py"))
    registered = re.findall(
        r'^@(?:operation|Operations.register_operation)\("(\w+)"\)', sources, re.MULTILINE
    )
    rows = re.findall(r"^\| `op\.(\w+)\(", text(DOCS / "operations.md"), re.MULTILINE)
    assert sorted(rows) == sorted(registered)


def test_every_public_name_is_told() -> None:
    """docs/python.md has what `surefoot` exports."""
    page = text(DOCS / "python.md")
    assert [name for name in exported if not re.search(rf"\b{name}\b", page)] == []


def test_the_layers_are_those_of_import_linter() -> None:
    """docs/architecture.md names each package of a layer, in the same order."""
    told = text(DOCS / "architecture.md").partition("from the ground floor up: ")[2]
    told = told.partition(". A layer")[0]
    layers = [set(re.findall(r"`(\w+)`", layer)) for layer in told.split(";")]
    contracts = text(LIBRARY / "pyproject.toml").partition("layers = [")[2].partition("]")[0]
    held = [set(layer.split(" | ")) for layer in re.findall(r'"(.+)"', contracts)]
    assert layers == held[::-1]


def test_every_event_has_its_row() -> None:
    """docs/output.md has each that `--json` prints."""
    table = text(DOCS / "output.md").partition("| `event` | when |")[2]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    classes = (*get_args(of_runs.Event), *get_args(of_backfills.Event))
    told = {event_name(object.__new__(each)) for each in classes} - NOT_TOLD
    assert named == {*told, "report", "done", "error"}
