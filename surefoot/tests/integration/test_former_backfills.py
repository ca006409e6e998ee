"""A backfill that knows a table or a column by the name that a revision takes from it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Column, Integer, MetaData, Table, Text
from sqlalchemy.ext.asyncio import AsyncConnection

from harness.generation import Project, new_metadata, on_empty

BACKFILL = """\
from surefoot import Backfill


class Lower(Backfill):
    after = "0001"
    table = "{}"
    todo = "{}"
    sets = {{"{}": "{}"}}
"""
LOWER = "word <> lower(word)", "word", "lower(word)"
# Only read: the statement fails once the column has another name.
READ = "id > 9 AND word IS NOT NULL", "id", "id"
SET = "id < 0", "id", "length(word)"


def models(name: str, column: str = "word") -> MetaData:
    metadata = new_metadata()
    Table(name, metadata, Column("id", Integer, primary_key=True), Column(column, Text))
    return metadata


async def renamed(
    project: Project,
    table: str,
    rename: str,
    after: MetaData,
    does: tuple[str, str, str] = LOWER,
) -> str:
    """The first revision that carries out the rename, beside a backfill of a table."""
    await project.create(models("notes"))
    await project.run(command.revision, "Begin")
    project.backfills.mkdir()
    (project.backfills / "lower.py").write_text(BACKFILL.format(table, *does), "utf-8")
    await project.upgrade()
    project.config.cmd_opts = Namespace(x=[f"rename={rename}"], autogenerate=True)
    written = await project.revise(after, "Rename it")
    await project.upgrade()
    await project.check(after)
    return written[0].read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "rename", "after", "does"),
    [
        ("notes", "notes:remarks", models("remarks"), LOWER),
        ("public.notes", "notes:remarks", models("remarks"), LOWER),
        ("notes", "notes.word:notes.term", models("notes", "term"), LOWER),
        ("public.notes", "notes.word:notes.term", models("notes", "term"), READ),
        ("notes", "notes.word:notes.term", models("notes", "term"), SET),
    ],
)
async def test_it_has_to_be_complete_before(
    connection: AsyncConnection,
    tmp_path: Path,
    table: str,
    rename: str,
    after: MetaData,
    does: tuple[str, str, str],
) -> None:
    """Afterwards it could not go on where it has begun, and its rows would stay as they are."""
    text = await renamed(await on_empty(tmp_path, connection), table, rename, after, does)
    assert 'requires_backfill = "lower"' in text
    assert "The backfill lower knows the former name" in text


@pytest.mark.slow
async def test_that_of_another_table_is_not_required(
    connection: AsyncConnection, tmp_path: Path
) -> None:
    """Only the names that are lost are looked at."""
    project = await on_empty(tmp_path, connection)
    text = await renamed(project, "other", "notes:remarks", models("remarks"))
    assert "requires_backfill" not in text
