"""Changes by hand are found, and the printed statements repair them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.commands import snapshot_of
from harness.databases import Database, Databases, connect, engine, execute, value
from harness.server import LIBRARY
from integration.hand_made import BESIDE, CHANGES
from surefoot.catalog import Catalog, casts
from surefoot.differences import Deviation, deviations
from surefoot.quoting import quoted

WIDE = (Path(__file__).parent / "wide_schema.sql").read_text("utf-8")


class Untouched(NamedTuple):
    """A database that nobody has changed, and its catalog."""

    database: Database
    catalog: Catalog
    casts: Mapping[tuple[str, str], str]


@pytest.fixture(scope="module")
async def untouched(databases: Databases) -> AsyncIterator[Untouched]:
    """The project's schema at head, with the wide one beside it."""
    made = await databases.clone()
    await execute(made.url, WIDE + BESIDE)
    yield Untouched(made, await snapshot_of(made), await casts_of(made))
    await databases.drop(made)


async def casts_of(database: Database) -> Mapping[tuple[str, str], str]:
    async with engine(database.access, "observe") as made, made.connect() as connection:
        return await connection.run_sync(casts)


@pytest.fixture
async def changed(databases: Databases, untouched: Untouched) -> AsyncIterator[Database]:
    """A copy of it."""
    made = await databases.copy(untouched.database)
    yield made
    await databases.drop(made)


@pytest.mark.slow
async def test_an_untouched_database_has_no_deviation(
    changed: Database, untouched: Untouched
) -> None:
    """A copy is what it was copied from."""
    assert deviations(untouched.catalog, await snapshot_of(changed)) == ()


QUICK = ("index dropped", "type under a view", "table dropped")
PARAMETERS = [
    pytest.param(change, marks=[] if change in QUICK else [pytest.mark.slow]) for change in CHANGES
]


@pytest.mark.sample(3)
@pytest.mark.parametrize("change", PARAMETERS)
async def test_a_change_by_hand_is_found_and_brought_back(
    changed: Database, untouched: Untouched, change: str
) -> None:
    """The printed statements are run one by one, in order."""
    made = CHANGES[change]
    await execute(changed.url, made.statements.format(database=changed.name))
    found = deviations(untouched.catalog, await snapshot_of(changed), untouched.casts)
    assert [f"{each.word} {each.title}" for each in found] == [
        each.format(database=changed.name) for each in made.found
    ]
    await repair(changed, found)
    left = deviations(untouched.catalog, await snapshot_of(changed))
    assert [each for each in left if each.repair.sql] == []
    assert {each.repair.note for each in left} == ({made.note} if made.note else set())


def test_the_readme_counts_the_changes() -> None:
    """Those that a statement repairs."""
    repaired = [change for change, made in CHANGES.items() if made.note is None]
    counted = f"{len(repaired)} kinds of change by hand, each found and repaired"
    assert counted in (LIBRARY / "README.md").read_text("utf-8")


async def repair(database: Database, found: Iterable[Deviation]) -> None:
    """Run the printed statements, each by itself."""
    connection = await connect(database.url)
    for each in found:
        for statement in each.repair.sql:
            await connection.execute(statement)
    await connection.close()


@pytest.mark.slow
async def test_a_not_null_that_was_never_proven_is_proven(
    changed: Database, untouched: Untouched
) -> None:
    """From PostgreSQL 18 on a column may say NOT NULL while rows of before say otherwise."""
    if int(str(await value(changed.url, "SHOW server_version_num"))) < 180000:
        pytest.skip("NOT NULL ... NOT VALID came with PostgreSQL 18")
    await execute(
        changed.url,
        "ALTER TABLE files ALTER mode DROP NOT NULL; "
        "ALTER TABLE files ADD CONSTRAINT later NOT NULL mode NOT VALID; "
        "ALTER TABLE jobs ADD CONSTRAINT never NOT NULL error NOT VALID",
    )
    found = deviations(untouched.catalog, await snapshot_of(changed))
    assert [f"{each.word} {each.title}" for each in found] == [
        "unexpected constraint files.later",
        "changed not null of column jobs.error",
    ]
    promised = await snapshot_of(changed)
    await repair(changed, found)
    proven = await snapshot_of(changed)
    assert deviations(untouched.catalog, proven) == ()
    (_, kept) = deviations(promised, proven)
    assert (kept.title, kept.repair.sql) == ("constraint files.later", ())
    assert kept.repair.note == "it is validated already; nothing has to be repaired"


@pytest.mark.slow
async def test_owners_and_privileges_are_given_back(
    changed: Database, untouched: Untouched
) -> None:
    """Where they are asked for; the role that migrates is known by what it owns."""
    before = await snapshot_of(changed, privileges=True)
    role = f"reads_{changed.name}"
    await execute(
        changed.url,
        f"CREATE ROLE {role}; ALTER TABLE ul OWNER TO {role}; ALTER VIEW v6 OWNER TO {role}; "
        f"GRANT SELECT, UPDATE ON jobs TO {role} WITH GRANT OPTION; "
        f"GRANT UPDATE (path) ON jobs TO {role}; REVOKE EXECUTE ON FUNCTION imm FROM PUBLIC; "
        f"REVOKE USAGE ON TYPE st FROM PUBLIC; GRANT USAGE ON SEQUENCE sq TO {role}",
    )
    found = deviations(before, await snapshot_of(changed, privileges=True))
    assert [each.title for each in found] == [
        "privileges of enum st",
        "privileges of sequence sq",
        "privileges of table jobs",
        "owner of table ul",
        "privileges of column jobs.path",
        "privileges of function imm(text)",
        "owner of view v6",
    ]
    assert deviations(untouched.catalog, await snapshot_of(changed)) == ()
    await repair(changed, found)
    assert deviations(before, await snapshot_of(changed, privileges=True)) == ()
    await execute(changed.url, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "now", "repaired_by"),
    [
        ("", " WITH GRANT OPTION", "REVOKE GRANT OPTION FOR"),
        (" WITH GRANT OPTION", "", "GRANT"),
    ],
)
async def test_a_grant_option_alone_is_given_and_taken(
    changed: Database, was: str, now: str, repaired_by: str
) -> None:
    """The role has the privilege all the time."""
    role = f"reads_{changed.name}"
    given = f"SELECT ON jobs TO {role}", f"UPDATE (path) ON jobs TO {role}"
    granted = [f"GRANT {each}{was}" for each in given]
    await execute(changed.url, "; ".join((f"CREATE ROLE {role}", *granted)))
    before = await snapshot_of(changed, privileges=True)
    revoked = [f"REVOKE {each.replace(' TO ', ' FROM ')}" for each in given]
    await execute(changed.url, "; ".join((*revoked, *(f"GRANT {each}{now}" for each in given))))
    found = deviations(before, await snapshot_of(changed, privileges=True))
    option = was if repaired_by == "GRANT" else ""
    tail = f"TO {role}{option}" if option else f"FROM {role}"
    assert sorted(sql for each in found for sql in each.repair.sql) == [
        f"{repaired_by} SELECT ON TABLE jobs {tail}",
        f"{repaired_by} UPDATE (path) ON TABLE jobs {tail}",
    ]
    await repair(changed, found)
    assert deviations(before, await snapshot_of(changed, privileges=True)) == ()
    await execute(changed.url, f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.slow
async def test_an_extension_of_the_operator_s_is_no_deviation(
    changed: Database, untouched: Untouched
) -> None:
    """One that the revisions made and that is gone is."""
    available = await value(
        changed.url, "SELECT name FROM pg_available_extensions WHERE installed_version IS NULL"
    )
    if available is None:
        pytest.skip("no extension can be installed on this server")
    await execute(changed.url, f'CREATE EXTENSION "{available}"')
    with_it = await snapshot_of(changed)
    assert deviations(untouched.catalog, with_it) == ()
    (missing,) = deviations(with_it, untouched.catalog)
    assert missing.title == f"extension {available}"
    assert missing.repair.sql == (f"CREATE EXTENSION {quoted(str(available))}",)
