"""A table that goes has an index or a key whose name a new object gets before."""

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
