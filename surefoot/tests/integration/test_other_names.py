"""A constraint or an index that changes is in force after each revision, also one that is used."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
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

from harness.generation import ddl, new_metadata, on_empty
from surefoot.catalog import difference
from surefoot.catalog.kinds import Constraint

Declared = Callable[[], list[Any]]
# The old one named "old" and the new one named "new", with what changes beside them.
CASES: dict[str, tuple[Declared, Declared]] = {
    "foreign key": (
        lambda: [Column("r", ForeignKey("a.id", name="old"))],
        lambda: [Column("r", ForeignKey("a.id", name="new", ondelete="CASCADE"), index=True)],
    ),
    "unique": (
        lambda: [Column("n", Integer), UniqueConstraint("n", name="old")],
        lambda: [
            Column("n", Integer),
            Column("m", Integer),
            UniqueConstraint("n", "m", name="new"),
        ],
    ),
    "unique, beside a foreign key to another column": (
        lambda: [
            Column("n", Integer),
            UniqueConstraint("n", name="old"),
            Column("up", ForeignKey("b.id")),
        ],
        lambda: [
            Column("n", Integer),
            Column("gone_at", DateTime),
            Index("new", "n", unique=True, postgresql_where=text("gone_at IS NULL")),
            Column("up", ForeignKey("b.id", ondelete="CASCADE")),
        ],
    ),
    "unique index": (
        lambda: [Column("n", Integer), Index("old", "n", unique=True)],
        lambda: [Column("n", Integer), UniqueConstraint("n", name="new")],
    ),
    "check": (
        lambda: [Column("n", Integer), CheckConstraint("n > 0", name="old")],
        lambda: [Column("n", Integer), CheckConstraint("n < 0", name="new")],
    ),
    "check of a new column": (
        lambda: [Column("n", Integer), CheckConstraint("n > 0", name="old")],
        lambda: [
            Column("n", Integer),
            Column("m", Integer),
            CheckConstraint("num_nonnulls(n, m) = 1", name="new"),
        ],
    ),
    "index": (
        lambda: [Column("n", Integer), Column("m", Integer), Index("old", "n")],
        lambda: [
            Column("n", Integer),
            Column("m", Integer, nullable=False),
            Index("new", "n", "m"),
        ],
    ),
    "exclusion": (
        lambda: [Column("n", Integer), ExcludeConstraint(("n", "="), name="old", using="btree")],
        lambda: [Column("n", Integer), UniqueConstraint("n", name="new")],
    ),
}


def models(items: list[Any]) -> MetaData:
    metadata = new_metadata()
    Table("a", metadata, Column("id", Integer, primary_key=True))
    Table("b", metadata, Column("id", Integer, primary_key=True), *items)
    return metadata


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
async def test_one_of_both_is_in_force(
    connection: AsyncConnection, tmp_path: Path, case: str
) -> None:
    project = await on_empty(tmp_path, connection)
    old, new = (models(each()) for each in CASES[case])
    await project.create(old)
    before = await project.catalog()
    written = await project.revise(new, "Change")
    for path in written:
        await project.upgrade(path.stem.partition("_")[0])
        catalog = await project.catalog()
        found = [each for each in catalog.objects.values() if each.name.endswith(("old", "new"))]
        # A check goes with the revision that adds another one for new rows.
        assert any(
            not isinstance(each, Constraint) or each.validated or each.type == "check"
            for each in found
        ), project.text()
    await project.check(new)
    await project.downgrade()
    assert await project.catalog() == before


@pytest.mark.slow
@pytest.mark.parametrize("is_new", [False, True])
@pytest.mark.parametrize("name", ["fk", "fk_doc"])
@pytest.mark.parametrize(("key", "goes"), [("pk", False), ("pk_by", False), ("pk_by", True)])
async def test_a_key_that_others_refer_to_is_exchanged_with_their_foreign_keys(
    connection: AsyncConnection, tmp_path: Path, name: str, key: str, *, goes: bool, is_new: bool
) -> None:
    """No revision is without them: where a column of the new key has to be filled first, where one
    of the old key goes, and where the key gets another name.
    """

    def docs(changed: bool) -> MetaData:
        metadata = new_metadata()
        names = ["id", *([] if is_new else ["tenant_id"])]
        names = ["tenant_id", *([] if goes else ["id"])] if changed else names
        items: list[Any] = [
            Column(each, Integer, autoincrement=False, nullable=False) for each in names
        ]
        by = names if changed else ["id"]
        items += [PrimaryKeyConstraint(*by, name=key if changed else "pk")]
        Table("docs", metadata, *items)
        pair = ["doc_id" if each == "id" else each for each in by]
        for table in ("pages", "notes"):
            columns = [Column(each, Integer) for each in ("tenant_id", "doc_id")]
            number = Column("id", Integer, primary_key=True)
            referred = [f"docs.{each}" for each in by]
            own = ForeignKeyConstraint(pair, referred, name=name if changed else "fk")
            Table(table, metadata, number, *columns, own)
        return metadata

    project = await on_empty(tmp_path, connection)
    await project.create(docs(False))
    before = await project.catalog()
    for path in await project.revise(docs(True), "Change the key"):
        await project.upgrade(path.stem.partition("_")[0])
        found = (await project.catalog()).objects.values()
        types = [each.type for each in found if isinstance(each, Constraint)]
        assert types.count("foreign key") == 2, project.text()
        assert types.count("primary key") == 3, project.text()
    await project.check(docs(True))
    await project.downgrade()
    assert await project.catalog() == before


# The keys in place of the former one, and the tables that still refer to it.
TAKEN: dict[str, tuple[Declared, Collection[str]]] = {
    "an index": (lambda: [Index("new", "code", unique=True)], ("docs", "notes")),
    "an index, for one of both": (lambda: [Index("new", "code", unique=True)], ("docs",)),
    "an index, for none": (lambda: [Index("new", "code", unique=True)], ()),
    "two": (
        lambda: [
            Index("by_code", "code", unique=True),
            UniqueConstraint("code", name="uq", postgresql_include=["n"]),
        ],
        ("docs", "notes"),
    ),
    "one that a foreign key cannot use": (
        lambda: [
            Index("by_code", "code", unique=True),
            UniqueConstraint("code", name="uq", deferrable=True),
        ],
        ("docs", "notes"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", TAKEN)
async def test_foreign_keys_of_several_tables_come_to_new_keys(
    connection: AsyncConnection, tmp_path: Path, case: str
) -> None:
    """There and back: on the way back they need the former key, and no other one stands in."""

    def kinds(items: list[Any], referring: Collection[str]) -> MetaData:
        metadata = new_metadata()
        columns = (
            Column("id", Integer, primary_key=True),
            Column("code", Text),
            Column("n", Integer),
        )
        Table("kinds", metadata, *columns, *items)
        for name in ("docs", "notes"):
            key = [ForeignKey("kinds.code")] if name in referring else []
            number = Column("id", Integer, primary_key=True)
            Table(name, metadata, number, Column("code", Text, *key))
        return metadata

    project = await on_empty(tmp_path, connection)
    items, referring = TAKEN[case]
    old = kinds([UniqueConstraint("code", name="old")], ("docs", "notes"))
    new = kinds(items(), referring)
    await project.create(old)
    before = await project.catalog()
    await project.revise(new, "Change")
    await project.upgrade()
    await project.check(new)
    # What goes for good is dropped table by table.
    told = "would be missing" in " ".join(project.text().split())
    assert told or len(referring) < 2
    assert referring or not told
    await project.downgrade()
    assert await project.catalog() == before


def number() -> Column[int]:
    return Column("n", Integer, autoincrement=False)


@pytest.mark.slow
async def test_a_foreign_key_is_exchanged_for_one_of_its_name_in_one_revision(
    connection: AsyncConnection, tmp_path: Path
) -> None:
    """Also where indexes are built on its table meanwhile; that of a new table has an own one."""

    def docs(*, new: bool) -> MetaData:
        metadata = models([])
        items: list[Any] = [ForeignKey("kinds.code")] if new else []
        up: Column[int] = Column("up_id", ForeignKey("a.id", ondelete="CASCADE" if new else None))
        columns = Column("id", Integer, primary_key=True), Column("kind", Text, *items, index=new)
        Table("docs", metadata, *columns, up)
        if new:
            Table("kinds", metadata, Column("code", Text, primary_key=True))
        return metadata

    project = await on_empty(tmp_path, connection)
    await project.create(docs(new=False))
    before = await project.catalog()
    for path in await project.revise(docs(new=True), "Cascade"):
        await project.upgrade(path.stem.partition("_")[0])
        found = (await project.catalog()).of_table(Constraint, "docs")
        assert "fk_docs_up_id_a" in found, project.text()
    source = " ".join(project.text().split())
    assert (
        "kinds is new: give it the rows that docs refers to, or fk_docs_kind_kinds fails" in source
    )
    assert "One transaction holds several locks" not in source
    await project.check(docs(new=True))
    await project.downgrade()
    assert await project.catalog() == before


HELD: dict[str, tuple[Declared, Declared, str]] = {
    "a unique key takes the foreign keys over": (
        lambda: [PrimaryKeyConstraint("id", name="pk")],
        lambda: [PrimaryKeyConstraint("t", "id", name="pk"), UniqueConstraint("id", name="uq")],
        "",
    ),
    "a unique index takes the foreign keys over": (
        lambda: [PrimaryKeyConstraint("id", name="pk")],
        lambda: [
            PrimaryKeyConstraint("t", "id", name="pk"),
            Index("ix", "id", unique=True, postgresql_include=["t"]),
        ],
        "",
    ),
    "an index for a unique constraint": (
        lambda: [PrimaryKeyConstraint("t", name="pk"), UniqueConstraint("id", name="uq")],
        lambda: [PrimaryKeyConstraint("t", name="pk"), Index("ix", "id", unique=True)],
        "",
    ),
    "an index for an index": (
        lambda: [PrimaryKeyConstraint("t", name="pk"), Index("old", "id", unique=True)],
        lambda: [
            PrimaryKeyConstraint("t", name="pk"),
            Index("new", "id", unique=True, postgresql_include=["t"]),
        ],
        "COMMENT ON CONSTRAINT pk ON docs IS 'of all'",
    ),
    "a unique constraint for another one": (
        lambda: [PrimaryKeyConstraint("t", name="pk"), UniqueConstraint("id", name="old")],
        lambda: [
            PrimaryKeyConstraint("t", name="pk"),
            UniqueConstraint("id", name="new", postgresql_include=["t"]),
        ],
        "",
    ),
    "a column is new, and a unique key takes the foreign keys over": (
        lambda: [PrimaryKeyConstraint("id", name="pk")],
        lambda: [
            Column("new", Integer),
            PrimaryKeyConstraint("new", "id", name="pk"),
            UniqueConstraint("id", name="uq"),
        ],
        "",
    ),
    "comment": (
        lambda: [PrimaryKeyConstraint("t", name="pk"), UniqueConstraint("id")],
        lambda: [PrimaryKeyConstraint("t", "id", name="pk"), UniqueConstraint("id")],
        "COMMENT ON CONSTRAINT pk ON docs IS 'of all'",
    ),
    "a column becomes nullable": (
        lambda: [
            number(),
            PrimaryKeyConstraint("n", name="pk"),
            UniqueConstraint("id"),
        ],
        lambda: [
            Column("n", Integer),
            PrimaryKeyConstraint("t", name="pk"),
            UniqueConstraint("id"),
        ],
        "",
    ),
    "a column gets another type": (
        lambda: [
            number(),
            PrimaryKeyConstraint("n", name="pk"),
            UniqueConstraint("id"),
        ],
        lambda: [
            Column("n", Text),
            PrimaryKeyConstraint("t", "n", name="pk"),
            UniqueConstraint("id"),
        ],
        "",
    ),
    "a column that leaves the key gets a wider type": (
        lambda: [
            number(),
            PrimaryKeyConstraint("n", name="pk"),
            UniqueConstraint("id"),
        ],
        lambda: [
            Column("n", BigInteger),
            PrimaryKeyConstraint("t", name="pk"),
            UniqueConstraint("id"),
        ],
        "",
    ),
    "a generated column becomes an ordinary one": (
        lambda: [
            Column("n", Integer, Computed("t + 1", persisted=True)),
            PrimaryKeyConstraint("n", name="pk"),
            UniqueConstraint("id"),
        ],
        lambda: [
            Column("n", Integer),
            PrimaryKeyConstraint("t", "n", name="pk"),
            UniqueConstraint("id"),
        ],
        "",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", HELD)
async def test_a_key_is_held_to_its_place_until_the_new_one_is_attached(
    connection: AsyncConnection, tmp_path: Path, case: str
) -> None:
    """And with it the foreign keys that stay, there and back and there again.

    They refuse no row that they have not refused before.
    """
    first, second, statement = HELD[case]

    def docs(declared: Declared) -> MetaData:
        metadata = new_metadata()
        columns = [Column(each, Integer, nullable=False) for each in ("t", "id")]
        Table("docs", metadata, *columns, *declared())
        own: Column[int] = Column("doc_id", ForeignKey("docs.id"))
        Table("pages", metadata, Column("id", Integer, primary_key=True), own)
        if statement:
            ddl(metadata, statement)
        return metadata

    project = await on_empty(tmp_path, connection)
    old, new = docs(first), docs(second)
    await project.create(old)
    before = await project.catalog()
    written = await project.revise(new, "Change the key")
    for path in written:
        await project.upgrade(path.stem.partition("_")[0])
        found = (await project.catalog()).objects.values()
        types = [each.type for each in found if isinstance(each, Constraint)]
        assert types.count("foreign key") == 1, project.text()
        assert types.count("primary key") == 2, project.text()
    source = " ".join(project.text().split())
    assert not re.search(r"(need|that|of) the constraint pages\.", source)
    await project.check(new)
    await project.downgrade()
    assert not [*difference(before, await project.catalog())]
    await project.upgrade()
    await project.check(new)
    await project.revise(old, "Change it back")
    await project.upgrade()
    assert not [*difference(before, await project.catalog())]
