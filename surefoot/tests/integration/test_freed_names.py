"""Names that another object has: an index or a key of a table that goes, a NOT NULL constraint."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.ext.asyncio import AsyncConnection

from harness.generation import on_empty

PARTS: dict[str, Callable[[], Any]] = {
    "an index": lambda: Index("same", "a"),
    "an index by an expression": lambda: Index("same", text("a DESC NULLS LAST")),
    "a unique constraint": lambda: UniqueConstraint("a", name="same"),
    "a primary key": lambda: PrimaryKeyConstraint("a", name="same"),
    "an exclusion": lambda: ExcludeConstraint(("a", "="), name="same", using="btree"),
}


def models(**parts: Any) -> MetaData:
    metadata = MetaData()
    for name, part in parts.items():
        Table(name, metadata, Column("a", Integer), *([part] if part is not None else []))
    return metadata


@pytest.mark.sample(25)
@pytest.mark.parametrize("comes", PARTS)
@pytest.mark.parametrize("goes", PARTS)
@pytest.mark.parametrize("owner", ["new", "kept"])
@pytest.mark.parametrize("style", ["auto", "plain"])
async def test_a_name_is_free_before_its_table_goes(
    connection: AsyncConnection, tmp_path: Path, style: str, owner: str, goes: str, comes: str
) -> None:
    """It is renamed first; the way back gives the former catalog."""
    project = await on_empty(tmp_path, connection)
    project.config.cmd_opts = Namespace(x=[f"style={style}"], autogenerate=True)
    after = models(**{"kept": None, owner: PARTS[comes]()})
    await project.create(models(kept=None, gone=PARTS[goes]()))
    await project.execute("INSERT INTO gone VALUES (1)", "INSERT INTO kept VALUES (1)")
    before = await project.catalog()
    await project.revise(after, "Change tables")
    await project.upgrade()
    await project.check(after)
    await project.downgrade()
    assert await project.catalog() == before


def kept(*columns: Column[Any]) -> MetaData:
    metadata = MetaData()
    Table("kept", metadata, Column("id", Integer, primary_key=True), *columns)
    return metadata


def required(name: str, kind: Any = Integer) -> Column[Any]:
    return Column(name, kind, nullable=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "statements", "after"),
    [
        pytest.param(
            [required("a")],
            ["ALTER TABLE kept RENAME a TO b"],
            [required("b"), required("a")],
            id="a column with the former name of another one",
        ),
        pytest.param(
            [required("a")],
            ["ALTER TABLE kept RENAME a TO a_new", "ALTER TABLE kept RENAME a_new TO a"],
            [required("a", Text)],
            id="a column of another type",
        ),
        pytest.param(
            [required("a_new")],
            ["ALTER TABLE kept RENAME a_new TO a"],
            [required("a", Text)],
            id="a column that was exchanged before",
        ),
        pytest.param(
            [required("a")],
            ["ALTER TABLE kept RENAME a TO b", "ALTER TABLE kept ADD a int NOT NULL"],
            [required("b"), required("a", Text)],
            id="a column of another type with the former name of another one",
        ),
    ],
)
async def test_a_name_of_a_not_null_constraint_is_free(
    connection: AsyncConnection,
    tmp_path: Path,
    before: list[Column[Any]],
    statements: list[str],
    after: list[Column[Any]],
) -> None:
    """From PostgreSQL 18 it has one, which it keeps where its column gets another name."""
    project = await on_empty(tmp_path, connection)
    await project.create(kept(*before))
    await project.execute(*statements)
    found = await project.catalog()
    models = kept(*after)
    await project.revise(models, "Change the table")
    await project.upgrade()
    await project.check(models)
    await project.downgrade()
    assert await project.catalog() == found
