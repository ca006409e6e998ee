"""A new index on a column that is swapped for one of another type is built on the second column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from harness.generation import Project, new_metadata, write_value
from surefoot.chain.revisions import read_revisions
from surefoot.errors import SurefootError


def things(*items: Any) -> MetaData:
    metadata = new_metadata()
    Table("things", metadata, Column("id", BigInteger, primary_key=True), *items)
    return metadata


def number(kind: type[Integer], *items: Any, **options: Any) -> MetaData:
    return things(Column("n", kind, **options), Column("m", Text), *items)


def state(labels: Sequence[str], *items: Any) -> MetaData:
    return things(Column("s", Enum(*labels, name="s")), Column("m", Text), *items)


def referring(kind: type[Integer], *items: Any) -> MetaData:
    """The key and the column that refers to it change together."""
    metadata = new_metadata()
    Table("owners", metadata, Column("id", kind, Identity(), primary_key=True))
    owner = Column("owner_id", kind, ForeignKey("owners.id"))
    key = Column("id", BigInteger, primary_key=True)
    Table("things", metadata, key, Column("m", Text), owner, *items)
    return metadata


@dataclass(frozen=True)
class Case:
    before: MetaData
    after: MetaData
    rows: str = "INSERT INTO things (id, n) VALUES (1, 7)"
    # Of the backfill, where it is left to a person.
    value: str = ""


CASES = {
    "JSON": Case(
        things(Column("n", JSON)),
        things(Column("n", JSONB), Index("ix", "n", postgresql_using="gin")),
        """INSERT INTO things (id, n) VALUES (1, '{"a": [1]}')""",
    ),
    "an expression and a new column": Case(
        number(Integer, Index("old", "n")),
        number(
            BigInteger,
            Index("old", "n"),
            Column("more", Text),
            Index("ix", "more", "n", text("(n + 1)")),
        ),
    ),
    "a condition": Case(
        number(Integer), number(BigInteger, Index("ix", "m", postgresql_where=text("n > 5")))
    ),
    "the longest name": Case(number(Integer), number(BigInteger, Index("i" * 63, "n"))),
    "a column that becomes required": Case(
        number(Integer),
        number(BigInteger, Index("ix", "n"), nullable=False, server_default="3"),
        value="coalesce(n, 3)",
    ),
    "a text": Case(
        things(Column("n", String(20))),
        things(Column("n", Integer), Index("ix", "n")),
        "INSERT INTO things (id, n) VALUES (1, '7')",
    ),
    "an enum": Case(
        state(["a", "b"]),
        state(["a"], Index("ix", "s", "m")),
        "INSERT INTO things (id, s) VALUES (1, 'a')",
        "s::text::s_new",
    ),
    "an enum in a condition": Case(
        state(["a", "b"]),
        state(["a"], Index("ix", "m", postgresql_where=text("s = 'a'::s"))),
        "INSERT INTO things (id, s) VALUES (1, 'a')",
        "s::text::s_new",
    ),
    "a foreign key": Case(
        referring(Integer),
        referring(
            BigInteger,
            Index("ix_owner", "owner_id", "m"),
            Index("ix_m", "m", postgresql_include=["owner_id"]),
        ),
        "WITH made AS (INSERT INTO owners DEFAULT VALUES RETURNING id) "
        "INSERT INTO things (id, owner_id) SELECT 1, NULL FROM made",
    ),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("case", CASES)
async def test_it_has_its_name_from_the_beginning(project: Project, case: str) -> None:
    """The table is not rewritten; the index goes along as the column is swapped, there and back."""
    given = CASES[case]
    await project.create(given.before)
    await project.execute(given.rows)
    before = await project.catalog()
    written = await project.revise(given.after, "Change")
    assert written
    assert "without a rewrite" not in project.text()
    for path in project.backfills.glob("*.py") if given.value else ():
        write_value(path, given.value)
    await upgraded(project)
    after = await project.catalog()
    await project.check(given.after)
    assert after == await project.models(given.after)
    with pytest.raises(SurefootError, match="has rows for which"):
        await project.downgrade()
    for table in reversed(given.before.sorted_tables):
        await project.execute(f"DELETE FROM {table.name}")
    await project.downgrade()
    assert await project.catalog() == before
    await upgraded(project)
    assert await project.catalog() == after


async def test_one_that_is_unique_comes_after_the_type(project: Project) -> None:
    """It may refuse the rows of a release that writes both columns."""
    await project.create(number(Integer))
    path, _ = await project.revise(number(BigInteger, Index("ix", "n", unique=True)), "Change")
    told = " ".join(path.read_text("utf-8").split())
    assert "without a rewrite" in told
    assert "change the type alone first" in told


async def upgraded(project: Project) -> None:
    """Run each revision, and the backfills that it requires before."""
    project.lock()
    for each in read_revisions(project.versions):
        for name in each.requires_backfill:
            await project.fill(name)
        await project.upgrade(each.id)
