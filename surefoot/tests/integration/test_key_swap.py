"""A wider number in a key, and in the columns that refer to it, while releases write."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

from harness.databases import Databases, connect
from harness.generation import Project, ddl, new_metadata
from surefoot.chain.revisions import read_revisions
from surefoot.errors import UpgradeFailed


def alone(kind: Any, *numbers: Any) -> MetaData:
    """A key that nothing refers to; a serial, unless `numbers` make it an identity."""
    metadata = new_metadata()
    key = Column("id", kind, *numbers, primary_key=True)
    Table("makers", metadata, key, Column("name", Text))
    return metadata


def referred(kind: Any, *numbers: Any) -> MetaData:
    """A key with tables that refer to it: as parent, as its own row, by a key, by a wide column."""
    metadata = alone(kind, *numbers)
    makers = metadata.tables["makers"]
    makers.append_column(Column("parent_id", ForeignKey("makers.id"), index=True))
    Table(
        "a_things",
        metadata,
        Column("n", BigInteger, Identity(), primary_key=True),
        Column("maker_id", ForeignKey("makers.id", ondelete="CASCADE"), nullable=False, index=True),
    )
    Table("companies", metadata, Column("id", ForeignKey("makers.id"), primary_key=True))
    Table("branches", metadata, Column("company_id", ForeignKey("companies.id"), primary_key=True))
    Table(
        "wide",
        metadata,
        Column("n", BigInteger, Identity(), primary_key=True),
        Column("maker_id", BigInteger, ForeignKey("makers.id"), unique=True),
    )
    return metadata


REFERRING = (
    "UPDATE makers SET parent_id = id WHERE id = {0}",
    "INSERT INTO a_things (maker_id) VALUES ({0})",
    "INSERT INTO companies VALUES ({0})",
    "INSERT INTO branches VALUES ({0})",
    "INSERT INTO wide (maker_id) VALUES ({0})",
)


async def write(project: Project, metadata: MetaData) -> int:
    """Rows of a release that knows the names of the models and nothing else."""
    async with project.connection.begin():
        made = "INSERT INTO makers (name) VALUES ('x') RETURNING id"
        number = await project.connection.scalar(text(made))
        assert isinstance(number, int)
        for each in REFERRING if "wide" in metadata.tables else ():
            await project.connection.exec_driver_sql(each.format(number))
    return number


async def rows(project: Project, metadata: MetaData) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, of the columns that the models have."""
    found = {}
    for table in metadata.sorted_tables:
        each = await project.connection.execute(table.select().order_by(*table.primary_key))
        found[table.name] = [tuple(row) for row in each]
    await project.connection.rollback()
    return found


async def climb(project: Project, metadata: MetaData) -> list[int]:
    """Upgrade one revision after the other, and write before, between and after them."""
    written = [await write(project, metadata)]
    return written + [await write(project, metadata) async for _ in steps(project)]


async def steps(project: Project) -> AsyncIterator[None]:
    """Each revision, after the backfills that it requires."""
    project.lock()
    for revision in read_revisions(project.versions):
        for name in revision.requires_backfill:
            await project.fill(name)
        await project.upgrade(revision.id)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("models", [alone, referred])
@pytest.mark.parametrize(
    ("numbers", "kind"),
    [([], Integer), ([Identity()], Integer), ([Identity(always=True)], SmallInteger)],
    ids=["serial", "identity", "always"],
)
async def test_a_key_is_widened_while_a_release_writes(
    project: Project, models: Callable[..., MetaData], numbers: list[Identity], kind: type[Integer]
) -> None:
    """No row is lost, the numbers go on, and without rows the way back is the former catalog."""

    def declared(kind: type[Integer]) -> MetaData:
        return models(kind, *(Identity(always=each.always) for each in numbers))

    old, new = declared(kind), declared(BigInteger)
    await project.create(old)
    before = await project.catalog()
    written = [await write(project, old) for _ in range(3)]
    files = await project.revise(new, "Number by bigint")
    source = "\n".join(path.read_text("utf-8") for path in files)
    assert "rewrite of the table" not in source
    assert "# The value is yours" not in "".join(
        path.read_text("utf-8") for path in project.backfills.glob("*.py")
    )
    written += await climb(project, new)
    await project.check(new)
    found = await rows(project, new)
    assert [row[0] for row in found["makers"]] == written
    assert written == sorted({*written})
    for name, columns in (("a_things", 1), ("companies", 0), ("branches", 0), ("wide", 1)):
        if name in found:
            assert [row[columns] for row in found[name]] == written
    if "wide" in found:
        assert [row[2] for row in found["makers"]] == written
    with pytest.raises(UpgradeFailed, match="has rows for which"):
        await project.downgrade()
    assert await rows(project, new) == found
    await project.execute("TRUNCATE makers CASCADE")
    await project.downgrade()
    assert await project.catalog() == before
    assert await write(project, old) == written[-1] + 1
    written = [written[-1] + 1, *await climb(project, new)]
    await project.check(new)
    assert [row[0] for row in (await rows(project, new))["makers"]] == written


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [[], [Identity()]], ids=["serial", "identity"])
async def test_a_key_whose_numbers_are_used_up_goes_on(
    project: Project, numbers: list[Identity]
) -> None:
    """The last number of the old type is taken; the next one is that of the new type."""
    highest = 2**31 - 1
    await project.create(alone(Integer, *numbers))
    own = "pg_get_serial_sequence('makers', 'id')"
    await project.execute(f"INSERT INTO makers (id) SELECT setval({own}, {highest})")
    new = alone(BigInteger, *([Identity()] if numbers else []))
    await project.revise(new, "Number by bigint")
    async for _ in steps(project):
        pass
    await project.check(new)
    assert await write(project, new) == highest + 1
    await project.execute("DELETE FROM makers")


@pytest.mark.slow
async def test_a_key_that_a_view_reads_is_rewritten(project: Project) -> None:
    """The view would read the old column, so none of the columns that refer to it is swapped."""

    def models(kind: type[Integer]) -> MetaData:
        metadata = referred(kind)
        ddl(metadata, "CREATE VIEW seen AS SELECT id FROM makers")
        return metadata

    await project.create(models(Integer))
    await project.execute("INSERT INTO makers (name) VALUES ('x')")
    files = await project.revise(models(BigInteger), "Number by bigint")
    source = "".join(path.read_text("utf-8") for path in files)
    assert "keep_in_step" not in source
    assert "Two rounds" not in source
    await project.upgrade()
    await project.check(models(BigInteger))


@pytest.mark.slow
@pytest.mark.parametrize("large", ["makers", "branches"])
async def test_a_small_table_is_changed_along_with_a_large_one(
    project: Project, databases: Databases, large: str
) -> None:
    """Of the tables that a key joins the large one may be any: none of them is rewritten."""
    target = await databases.empty()
    asked = await connect(target.url)
    for name in referred(Integer).tables:
        number = 10_000 if name == large else 1
        await asked.execute(f"CREATE TABLE {name} AS SELECT FROM generate_series(1, {number})")
    await asked.close()
    project.configure(database=target.url, targets={"eu": target.url})
    await project.create(referred(Integer))
    written = [await write(project, referred(Integer))]
    project.config.cmd_opts = Namespace(x=["ask=eu"])
    files = await project.revise(referred(BigInteger), "Number by bigint")
    source = " ".join("\n".join(path.read_text("utf-8") for path in files).split())
    assert "rewrite of the table" not in source
    assert f"Online form of {large}: eu has 10,000 rows of it or more." in source
    assert "its key changes together with that of" in source
    written += await climb(project, referred(BigInteger))
    await project.check(referred(BigInteger))
    found = await rows(project, referred(BigInteger))
    assert [row[0] for row in found["branches"]] == written


@pytest.mark.slow
async def test_the_plain_form_rewrites(project: Project) -> None:
    """In one revision without a second column, and with the rows as they were."""
    await project.create(referred(Integer))
    written = await write(project, referred(Integer))
    project.config.cmd_opts = Namespace(x=["style=plain"])
    (file,) = await project.revise(referred(BigInteger), "Number by bigint")
    assert "keep_in_step" not in file.read_text("utf-8")
    await project.upgrade()
    await project.check(referred(BigInteger))
    assert [row[0] for row in (await rows(project, referred(BigInteger)))["makers"]] == [written]
