"""Lint finds nothing in the revisions that autogenerate writes."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from harness.databases import Databases
from harness.generation import Project, ddl, new_metadata
from harness.server import LIBRARY
from integration.model_changes import CHANGES, Change
from surefoot.chain.revisions import read_revisions
from surefoot.environment.measurements import completed
from surefoot.linting.lint import lint
from surefoot.rules.suppressions import suppressions
from surefoot.target import Target

INI = "[alembic]\nscript_location = %(here)s\nfile_template = %%(rev)s_%%(slug)s\n"

DOCUMENTED = LIBRARY / "docs" / "findings.md"


@pytest.fixture(scope="module")
async def scratch(databases: Databases) -> AsyncIterator[AsyncEngine]:
    """A second one, to try revisions on."""
    database = await databases.empty()
    engine = database.access.engine("migrate")
    yield engine
    await engine.dispose()
    await databases.drop(database)


@pytest.fixture
async def project(connection: AsyncConnection, scratch: AsyncEngine, tmp_path: Path) -> Project:
    """A folder without a revision, on an empty database."""
    project = Project(tmp_path, connection)
    await project.execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    async with scratch.begin() as other:
        await other.exec_driver_sql("DROP SCHEMA public CASCADE")
        await other.exec_driver_sql("CREATE SCHEMA public")
    return project


@pytest.mark.slow
async def test_the_locks_and_the_downgrade_are_measured(
    project: Project, scratch: AsyncEngine
) -> None:
    """Of the trace that lint takes, in the file; and the models' wish is allowed there."""

    def models(*columns: Column[Any]) -> MetaData:
        metadata = new_metadata()
        Table("things", metadata, Column("id", BigInteger, primary_key=True), *columns)
        return metadata

    begin = await project.revise(models(), "Begin")
    await project.upgrade()
    wanted = models(Column("size", JSON), Column("rank", Integer, index=True))
    added, built = await project.revise(wanted, "Add size")
    assert "Locks: not measured; `surefoot plan` measures it." in added.read_text("utf-8")
    await finds_nothing(project, scratch, begin)
    source = added.read_text("utf-8")
    assert (
        "Locks: ACCESS EXCLUSIVE on things, catalogue change only.\n"
        "Undo: ACCESS EXCLUSIVE on things, catalogue change only; drops things.rank, things.size "
        "with the\ndata.\n"
    ) in source
    assert (
        "\n\n# allow avoid-json-column: the models declare a column of type json\n\n\ndef upgrade"
    ) in source
    assert (
        "Locks: SHARE UPDATE EXCLUSIVE on things while rows are read.\n"
        "Undo: SHARE UPDATE EXCLUSIVE on things, catalogue change only.\n"
    ) in built.read_text("utf-8")


@pytest.mark.slow
async def test_a_table_that_the_same_files_create_or_drop_may_have_rows(
    project: Project, scratch: AsyncEngine
) -> None:
    """It has none when they are tried together; by itself each of them meets rows."""

    def models(name: str) -> MetaData:
        metadata = new_metadata()
        Table("jobs", metadata, Column("id", BigInteger, primary_key=True))
        Table(
            name, metadata,
            Column("id", BigInteger, primary_key=True),
            Column("job_id", ForeignKey("jobs.id"), index=True),
        )  # fmt: skip
        return metadata

    begin = await project.revise(models("results"), "Begin")
    await project.upgrade()
    written = await project.revise(models("notes"), "Replace the results")
    await finds_nothing(project, scratch, begin)
    said = [" ".join(path.read_text("utf-8").split()) for path in written]
    _, _, valid, key, dropped = said
    assert "Locks: SHARE UPDATE EXCLUSIVE on notes while rows are read;" in valid
    assert "Undo: SHARE ROW EXCLUSIVE on results while rows are read;" in key
    assert "Drop results." in dropped
    assert "Undo: none on a table in use; does not restore results." in dropped


@pytest.mark.slow
async def test_each_table_that_a_wider_key_locks_is_named(
    project: Project, scratch: AsyncEngine
) -> None:
    """Also the one that refers to it, where a comment prevents that the columns are swapped."""

    def models(kind: type[Integer]) -> MetaData:
        metadata = new_metadata()
        Table("jobs", metadata, Column("id", kind, Identity(), primary_key=True))
        Table(
            "results", metadata,
            Column("id", BigInteger, primary_key=True),
            Column("job_id", kind, ForeignKey("jobs.id"), index=True),
        )  # fmt: skip
        ddl(metadata, "COMMENT ON CONSTRAINT fk_results_job_id_jobs ON results IS 'of a job'")
        return metadata

    begin = await project.revise(models(Integer), "Begin")
    await project.upgrade()
    written = await project.revise(models(BigInteger), "Widen the key")
    await finds_nothing(project, scratch, begin)
    (key,) = (path.read_text("utf-8") for path in written if "'jobs', 'id'" in path.read_text())
    (locks,) = re.findall(r"^Locks: (.*?)^Undo", key, re.MULTILINE | re.DOTALL)
    assert "on jobs while rows are rewritten; ACCESS EXCLUSIVE on results while" in " ".join(
        locks.split()
    )


@pytest.mark.slow
async def test_a_key_that_goes_and_comes_back_takes_no_other_table_along(
    project: Project, scratch: AsyncEngine
) -> None:
    """The other tables are changed before it goes, each in a revision of its own."""

    def models(*, new: bool) -> MetaData:
        metadata = MetaData()  # the key has the same name before and after
        for name, type_ in (("jobs", BigInteger), ("users", Uuid), ("files", BigInteger)):
            rank = [Column("rank", Integer)] if new and name == "files" else []
            Table(name, metadata, Column("id", type_, primary_key=True), *rank)
        user = Column(
            "user_id", Uuid if new else BigInteger,
            ForeignKey("users.id" if new else "jobs.id"), primary_key=True,
        )  # fmt: skip
        Table("shares", metadata, user)
        if new:
            kind: Column[str] = Column("kind", Enum("new", "old", name="kind"))
            Table("notes", metadata, Column("id", BigInteger, primary_key=True), kind)
        return metadata

    begin = await project.revise(models(new=False), "Begin")
    await project.upgrade()
    written = await project.revise(models(new=True), "Share with users")
    await finds_nothing(project, scratch, begin)
    said = [path.read_text("utf-8") for path in written]
    (together,) = (each for each in said if "would be missing between two transactions" in each)
    (locks,) = re.findall(r"^Locks: (.*?)^Undo", together, re.MULTILINE | re.DOTALL)
    assert "files" not in locks
    assert not re.search("create_table|CREATE TYPE|rank", together)
    assert all('phase = "expand"' in each for each in said if "create_table" in each)
    await project.upgrade()
    await project.downgrade("0001")
    await project.upgrade()


@pytest.mark.slow
async def test_the_plain_form_allows_its_locks_on_all_that_it_locks(
    project: Project, scratch: AsyncEngine
) -> None:
    """On tables that inherit, on those that a view is filled from, and by any name."""

    def models(*, new: bool) -> MetaData:
        metadata = new_metadata()
        size = Column("size", Integer, nullable=not new, index=new)
        Table("back\\slash", metadata, Column("id", Integer, primary_key=True), size)
        Table("read", metadata, Column("id", Integer, primary_key=True))
        ddl(metadata, 'CREATE TABLE child (more integer) INHERITS ("back\\slash")')
        if new:
            ddl(metadata, "CREATE MATERIALIZED VIEW ids AS SELECT id FROM read")
        return metadata

    begin = await project.revise(models(new=False), "Begin")
    await project.upgrade()
    project.config.cmd_opts = Namespace(x=["style=plain"])
    await project.revise(models(new=True), "Require size")
    await finds_nothing(project, scratch, begin)


QUICK_HERE = {"index_added", "foreign_key_changed", "enum_value_added_and_used"}
PARAMETERS = [
    pytest.param(
        change,
        id=change.__name__,
        marks=[] if change.__name__ in QUICK_HERE else [pytest.mark.slow],
    )
    for change in CHANGES
]


@pytest.mark.slow
@pytest.mark.parametrize("change", PARAMETERS)
async def test_lint_finds_nothing_in_what_is_written(
    project: Project, scratch: AsyncEngine, change: Change
) -> None:
    """There and back; what a file allows is what the guide explains."""
    old, new = new_metadata(), new_metadata()
    change(old, False)
    change(new, True)
    begin = await project.revise(old, "Begin")
    await project.upgrade()
    await project.revise(new, "There")
    await project.upgrade()
    await project.revise(old, "Back")
    await finds_nothing(project, scratch, begin)


@pytest.mark.slow
@pytest.mark.parametrize("change", PARAMETERS)
async def test_lint_finds_nothing_in_the_plain_form(
    project: Project, scratch: AsyncEngine, change: Change
) -> None:
    """One comment at most says why it waits for no rule about the time of its locks."""
    old, new = new_metadata(), new_metadata()
    change(old, False)
    change(new, True)
    project.config.cmd_opts = Namespace(x=["style=plain"], autogenerate=True)
    begin = await project.revise(old, "Begin")
    await project.upgrade()
    there = await project.revise(new, "There")
    await project.upgrade()
    back = await project.revise(old, "Back")
    await finds_nothing(project, scratch, begin)
    for path in (*there, *back):
        source = path.read_text("utf-8")
        said = [each for each in suppressions(source) if each.reason.startswith("plain form of")]
        assert len({each.line for each in said}) <= 1
        assert {each.reason.removesuffix(": -x style=plain") for each in said} <= {
            f"plain form of {', '.join(sorted(tables))}"
            for tables in [re.findall(r"Plain form of (.+?):", source.replace("\\\\", "\\"))]
        }


@pytest.mark.slow
async def test_lint_finds_nothing_in_a_rename_that_was_told(
    project: Project, scratch: AsyncEngine
) -> None:
    """Neither in those of what is named after it."""

    def models(table: str, column: str) -> MetaData:
        metadata = new_metadata()
        Table(
            table,
            metadata,
            Column("id", BigInteger, primary_key=True),
            Column(column, Integer, CheckConstraint(f"{column} > 0", name="positive"), index=True),
        )
        return metadata

    begin = await project.revise(models("things", "rank"), "Begin")
    await project.upgrade()
    renames = ["rename=things:items", "rename=items.rank:items.priority"]
    project.config.cmd_opts = Namespace(x=renames)
    await project.revise(models("items", "priority"), "There")
    await finds_nothing(project, scratch, begin)


@pytest.mark.slow
async def test_lint_finds_nothing_in_a_declared_move(
    project: Project, scratch: AsyncEngine
) -> None:
    """Nor in names of keys and indexes that differ."""

    def models(schema: str | None, name: str) -> MetaData:
        metadata = MetaData()
        Table("logs", metadata, Column("id", BigInteger), schema=schema)
        key = Column("id", BigInteger), PrimaryKeyConstraint("id", name=name)
        Table("things", metadata, *key, CheckConstraint("id > 0", name=f"{name}_ck"))
        return metadata

    schema = "DROP SCHEMA IF EXISTS far CASCADE", "CREATE SCHEMA far"
    await project.execute(*schema)
    async with scratch.begin() as other:
        for statement in schema:
            await other.exec_driver_sql(statement)
    project.configure(options={"include_schemas": True})
    begin = await project.revise(models(None, "old"), "Begin")
    await project.upgrade()
    project.config.cmd_opts = Namespace(x=["rename=logs:far.logs"])
    await project.revise(models("far", "new"), "Move logs")
    await finds_nothing(project, scratch, begin)
    await project.execute(schema[0])


@pytest.mark.slow
async def test_lint_finds_nothing_in_a_new_extension(
    project: Project, scratch: AsyncEngine
) -> None:
    """It is created on the scratch database by the revision."""
    for engine in (project.connection.engine, scratch):
        async with engine.begin() as other:
            await other.exec_driver_sql("DROP EXTENSION IF EXISTS citext")

    def models(*columns: Column[Any]) -> MetaData:
        metadata = new_metadata()
        Table("things", metadata, Column("id", BigInteger, primary_key=True), *columns)
        return metadata

    begin = await project.revise(models(), "Begin")
    await project.upgrade()
    await project.revise(models(Column("mail", CITEXT)), "Add mail")
    await finds_nothing(project, scratch, begin)


@pytest.mark.slow
async def test_lint_allows_the_drop_of_the_index_of_a_partitioned_table(
    project: Project, scratch: AsyncEngine
) -> None:
    """PostgreSQL drops none concurrently."""

    def models(*, index: bool) -> MetaData:
        metadata = new_metadata()
        columns = Column("id", BigInteger, primary_key=True), Column("n", Integer, index=index)
        Table("events", metadata, *columns, postgresql_partition_by="RANGE (id)")
        return metadata

    begin = await project.revise(models(index=True), "Begin")
    await project.upgrade()
    await project.revise(models(index=False), "Drop the index")
    await finds_nothing(project, scratch, begin)


@pytest.mark.slow
async def test_a_partitioned_table_is_changed_online_where_that_is_possible(
    project: Project, scratch: AsyncEngine
) -> None:
    """A check is validated apart; the docstrings tell which of the others block writes."""

    def models(*items: Any) -> MetaData:
        metadata = new_metadata()
        Table("jobs", metadata, Column("id", BigInteger, primary_key=True))
        columns = [Column(each, BigInteger) for each in ("n", "job_id")]
        key = Column("id", BigInteger, primary_key=True, autoincrement=False)
        Table("events", metadata, key, *columns, *items, postgresql_partition_by="RANGE (id)")
        return metadata

    begin = await project.revise(models(), "Begin")
    await project.upgrade()
    items = (
        CheckConstraint("n > 0", name="n"),
        UniqueConstraint("n", "id", name="uq"),
        ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk"),
        Index("ix", "job_id"),
    )
    await project.revise(models(*items), "Add what a table can have")
    await finds_nothing(project, scratch, begin)
    source = " ".join(project.text().split())
    assert "op.validate_constraint(op.f('ck_events_n'), 'events')" in source
    assert "index of uq is built under ACCESS EXCLUSIVE on events: run it where" in source
    assert "fk is checked while writes to events wait: run it where" in source
    assert "op.create_index_concurrently(op.f('ix'), 'events', ['job_id']" in source


@pytest.mark.slow
async def test_lint_finds_nothing_in_another_schema(project: Project, scratch: AsyncEngine) -> None:
    """The steps of a table in use are short there, too; the schema comes by a revision."""

    def models(*items: Any) -> MetaData:
        metadata = new_metadata()
        columns = Column("id", BigInteger, primary_key=True), Column("code", Integer)
        Table("jobs", metadata, *(items or columns), schema="far")
        return metadata

    async with scratch.begin() as other:
        await other.exec_driver_sql("DROP SCHEMA IF EXISTS far CASCADE")
    project.configure(options={"include_schemas": True})
    begin = await project.revise(models(), "Begin")
    await project.upgrade()
    wanted = models(
        Column("id", BigInteger, primary_key=True),
        Column("code", BigInteger, nullable=False, unique=True),
        Column("job_id", ForeignKey("far.jobs.id"), index=True),
        CheckConstraint("code > 0", name="positive"),
    )
    await project.revise(wanted, "Change jobs")
    await finds_nothing(project, scratch, begin)
    await project.execute("DROP SCHEMA far CASCADE")


async def finds_nothing(project: Project, scratch: AsyncEngine, begin: Sequence[Path]) -> None:
    """Lint what was written after the first revisions."""
    project.lock()
    ini = project.versions.parent / "alembic.ini"
    ini.write_text(INI, "utf-8")
    chain = read_revisions(project.versions)
    names = {path.name for path in begin}

    written = [revision.id for revision in chain if revision.file_name not in names]
    target = Target.of(scratch, ini)
    linted = await lint(target, chain, written, back=True)
    assert linted.trace.failure is None, project.text()
    for revision in chain:
        if revision.id in written and revision.path is not None:
            linted = completed(revision.path, chain, linted)

    said = "\n".join(finding.render() for finding in linted.findings)
    assert not linted.findings, f"{said}\n{project.text()}"
    allowed = [each for unit in linted.units for each in suppressions(unit.source)]
    of_form = [each for each in allowed if each.reason.startswith("plain form of ")]
    assert {each.rule for each in allowed if each not in of_form} <= documented()


def documented() -> set[str]:
    """The rules that the guide says autogenerate allows."""
    rows = re.findall(r"^\| (`[a-z-]+`.*?) \|", DOCUMENTED.read_text("utf-8"), re.MULTILINE)
    return {rule for row in rows for rule in re.findall(r"`([a-z-]+)`", row)}
