"""The ledger: what it keeps, and that nobody changes it unseen."""

import json

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.db.engine import PROJECT, create_engine
from harness.commands import psql
from harness.databases import Database
from surefoot.catalog import NOTHING
from surefoot.chain.lockfile import read_lock
from surefoot.ledger.table import Ledger, Row
from surefoot.run.commands import downgrade, upgrade
from surefoot.run.narration import narrated
from surefoot.target import Target
from tests.support.project import run
from tests.support.settings import settings_of


async def rows_of(database: Database) -> tuple[Row, ...]:
    engine = create_engine(settings_of(database.url), "observe")
    async with engine.connect() as connection:
        rows = await connection.run_sync(Ledger().read)
    await engine.dispose()
    return rows


@pytest.mark.slow
async def test_a_row_says_what_was_done_by_whom_and_how_long_it_took(
    empty_database: Database,
) -> None:
    """Up and down again: each revision's rows, by the server's clock."""
    engine = create_engine(settings_of(empty_database.url), "migrate")
    await upgrade(Target.of(engine), "0002")
    await downgrade(Target.of(engine), "0001")
    await engine.dispose()
    rows = await rows_of(empty_database)
    assert [(row.revision, row.direction, row.outcome) for row in rows] == [
        ("0001", "upgrade", "applied"),
        ("0002", "upgrade", "applied"),
        ("0002", "upgrade", "measured"),
        ("0002", "downgrade", "applied"),
        ("0001", "downgrade", "measured"),
    ]
    first = rows[0]
    assert (first.phase, first.attempts, first.error, first.reason) == ("expand", 1, None, None)
    assert len(first.checksum) == 64
    assert first.statements >= 2
    assert first.started_at is not None
    assert first.finished_at is not None
    assert first.duration_s == pytest.approx(
        (first.finished_at - first.started_at).total_seconds(), abs=1e-6
    )
    assert first.actor is not None
    names = {"application", "database_user", "host", "os_user"}
    assert set(first.actor) == {*names, "transaction"}  # both in one


@pytest.mark.slow
async def test_a_database_of_an_ordinary_alembic_is_adopted(database: Database) -> None:
    """The first run that writes takes over what the revision table says."""
    psql(
        database,
        "DROP TABLE alembic_version_ledger; DROP FUNCTION alembic_version_ledger_append_only",
    )
    engine = create_engine(settings_of(database.url), "migrate")
    await downgrade(Target.of(engine), "-1")
    await engine.dispose()
    rows = await rows_of(database)
    assert {row.outcome for row in rows[:-2]} == {"adopted"}
    assert [(row.direction, row.outcome) for row in rows[-2:]] == [
        ("downgrade", "applied"),
        ("downgrade", "measured"),
    ]


@pytest.mark.slow
async def test_a_run_that_changed_something_ends_with_the_fingerprint(
    empty_database: Database,
) -> None:
    """Of what it left, as revisions.lock has it; one with nothing to do adds none."""
    engine = create_engine(settings_of(empty_database.url), "migrate")
    await upgrade(Target.of(engine), "0003")
    await upgrade(Target.of(engine), "0003")
    await downgrade(Target.of(engine), "base")
    await engine.dispose()
    locked = {revision.id: revision for revision in read_lock(PROJECT.lock)}
    measured = [row for row in await rows_of(empty_database) if row.fingerprint is not None]
    assert [(row.outcome, row.revision, row.fingerprint) for row in measured] == [
        ("measured", "0003", locked["0003"].fingerprint),
        ("measured", "base", NOTHING.fingerprint()),
    ]


@pytest.mark.slow
async def test_a_ledger_of_an_earlier_build_is_widened(database: Database) -> None:
    """Its check did not know that a run is measured."""
    psql(
        database,
        "ALTER TABLE alembic_version_ledger DISABLE TRIGGER append_only; "
        "DELETE FROM alembic_version_ledger WHERE outcome = 'measured'; "
        "ALTER TABLE alembic_version_ledger ENABLE TRIGGER append_only, "
        "DROP CONSTRAINT outcome_known, ADD CHECK (outcome IN ('started', 'applied', 'failed', "
        "'adopted', 'stamped', 'accepted', 'backup'))",
    )
    engine = create_engine(settings_of(database.url), "migrate")
    await downgrade(Target.of(engine), "-1")
    await upgrade(Target.of(engine), "head")
    await engine.dispose()
    outcomes = [row.outcome for row in await rows_of(database)]
    assert outcomes[-4:] == ["applied", "measured", "applied", "measured"]


@pytest.mark.slow
async def test_what_is_in_the_way_of_the_measure_ends_no_run(empty_database: Database) -> None:
    """Everything is applied by then; the run says so, and that the schema was not measured."""
    engine = create_engine(settings_of(empty_database.url), "migrate")
    await upgrade(Target.of(engine), "0001")
    psql(
        empty_database,
        "ALTER TABLE alembic_version_ledger ADD CHECK (outcome <> 'measured') NOT VALID",
    )
    said: list[str] = []
    report = await upgrade(Target.of(engine), "0002", listen=narrated(said.append))
    await engine.dispose()
    assert report.after == ("0002",)
    assert said[-2].startswith("NOTE  the schema was not measured: ")
    assert said[-1].startswith("OK  1 applied")


async def test_alembic_never_needs_the_ledger(database: Database) -> None:
    """The next run recreates a ledger that was dropped."""
    psql(
        database,
        "DROP TABLE alembic_version_ledger; DROP FUNCTION alembic_version_ledger_append_only",
    )
    engine = create_engine(settings_of(database.url), "migrate")
    report = await upgrade(Target.of(engine), "head")
    assert report.steps == ()
    await engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version_ledger SET checksum = 'x'",
        "DELETE FROM alembic_version_ledger",
        "TRUNCATE alembic_version_ledger",
    ],
)
async def test_the_ledger_is_append_only(database: Database, statement: str) -> None:
    """A plain edit is refused by the table itself."""
    engine = create_engine(settings_of(database.url), "migrate")
    with pytest.raises(DBAPIError, match="the ledger is append-only"):
        async with engine.begin() as connection:
            await connection.execute(text(statement))
    await engine.dispose()


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("edit", "row"),
    [
        ("UPDATE alembic_version_ledger SET error = 'x' WHERE id = 3", 3),
        ("DELETE FROM alembic_version_ledger WHERE id = 2", 3),
        ("UPDATE alembic_version_ledger SET finished_at = now() + '1 s' WHERE id = 1", 1),
    ],
)
def test_an_edit_behind_its_back_is_found(database: Database, edit: str, row: int) -> None:
    """A run refuses to go on, and `vegafs ledger` says the same."""
    psql(
        database,
        "ALTER TABLE alembic_version_ledger DISABLE TRIGGER append_only;"
        f"{edit}; ALTER TABLE alembic_version_ledger ENABLE TRIGGER append_only",
    )
    message = (
        "REFUSED [ledger-edited]  the ledger alembic_version_ledger was changed by hand at or "
        f"before row {row}: its hash does not match\n"
    )
    for command in (["alembic", "downgrade", "-1"], ["vegafs", "ledger"]):
        result = run(*command, DATABASE_URL=database.url)
        assert result.code == 3
        assert result.err.startswith(message)


@pytest.mark.slow
def test_vegafs_ledger_prints_it(database: Database, empty_database: Database) -> None:
    """For people a line a row, as JSON all of it; an empty one says so."""
    told = run("vegafs", "ledger", "--last", "2", DATABASE_URL=database.url)
    assert told.code == 0
    assert told.out.splitlines()[0].split()[:2] == ["ID", "WHEN"]
    assert len(told.out.splitlines()) == 3
    assert told.err == f"16 rows of {database.name}, all hashes are valid\n"
    document = json.loads(run("vegafs", "ledger", "--json", DATABASE_URL=database.url).out)
    assert document["schema_version"] == 1
    assert [row["revision"] for row in document["rows"]][:2] == ["0001", "0002"]
    nothing = run("vegafs", "ledger", DATABASE_URL=empty_database.url)
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err == f"{empty_database.name} has no ledger, or an empty one\n"
