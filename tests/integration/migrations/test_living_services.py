"""A contract revision meets services that live: `vegafs services`, and the guard."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.databases import Database, value
from harness.forks import Result
from harness.processes import eventually
from tests.support.builds import Build, build
from tests.support.project import run
from tests.support.service import Served, served, served_by

AT = "SELECT string_agg(version_num, ',') FROM alembic_version"
# The other demands of production have tests of their own.
PRODUCTION = {"VEGAFS_ENVIRONMENT": "production", "VEGAFS_MIGRATE_LINT": "off"}
REFUSED = re.compile(
    r"REFUSED \[services-alive\]  0016 needs the code of 0015, and 1 older service is running: "
    r"vegafs-watch@\S+ \(backend \d+\) at 0014\n"
    r"  help: stop them, or `vegafs upgrade 0016 --wait-for-services`; to apply only revisions "
    r"before it, name the last of them; to override: `vegafs upgrade 0016 --execute --reason …`\n"
)


@pytest.fixture
def newer(tmp_path: Path) -> Iterator[Build]:
    """The build that comes after this one's: it expands, and then breaks this one's code."""
    with build(tmp_path / "newer") as made:
        made.add("op.execute('CREATE TABLE t (id int)')", "op.execute('DROP TABLE t')")
        made.add("pass", phase="contract", requires_code="0015")
        yield made


@pytest.fixture
def older(database: Database) -> Iterator[Served]:
    """A service of this build, which has announced itself."""
    with served(DATABASE_URL=database.url, VEGAFS_WORKER="false") as service:
        service.wait_until_it_serves()
        assert eventually(lambda: living(database) == ["0014"])
        yield service


def living(database: Database) -> list[str | None]:
    """The revisions of the services that live."""
    listed = run("vegafs", "services", "--json", DATABASE_URL=database.url)
    assert listed.code == 0, listed.err
    return [each["revision"] for each in json.loads(listed.out)["services"]]


def migrate(newer: Build, database: Database, *command: str, **settings: str) -> Result:
    environment = {"DATABASE_URL": database.url, **PRODUCTION, **settings}
    return newer.run(*command, **environment)


def test_the_services_that_live_are_listed(database: Database, older: Served) -> None:
    """With the revision of their code; one that was killed is gone."""
    listed = run("vegafs", "services", DATABASE_URL=database.url)
    assert listed.err == "1 service is running\n"
    assert re.fullmatch(
        r"REVISION  SINCE \(UTC\)       PID      SERVICE\n"
        r"0014      \d{4}-\d\d-\d\d \d\d:\d\d  \d+ +  vegafs-watch@\S+\n",
        listed.out,
    ), listed.out
    found = json.loads(run("vegafs", "services", "--json", DATABASE_URL=database.url).out)
    (service,) = found.pop("services")
    assert found == {"schema_version": 1, "database": database.name}
    assert service.keys() == {"revision", "pid", "application", "since"}
    older.stop(signal.SIGKILL)
    assert eventually(lambda: living(database) == [])
    listed = run("vegafs", "services", DATABASE_URL=database.url)
    assert (listed.out, listed.err) == ("", "0 services are running\n")


@pytest.mark.slow
async def test_a_contract_revision_refuses_while_an_older_build_lives(
    database: Database, older: Served, newer: Build
) -> None:
    """Before the first step; what comes before it runs by its own id; then it goes by a reason."""
    refused = migrate(newer, database, "alembic", "upgrade", "head")
    assert refused.code == 3, refused.err
    assert REFUSED.fullmatch(refused.err), refused.err
    assert await value(database.url, AT) == "0014"
    expanded = migrate(newer, database, "alembic", "upgrade", "0015")
    assert expanded.code == 0, expanded.err
    reason = "it is on its way out"
    forced = migrate(newer, database, "vegafs", "upgrade", "0016", "--execute", "--reason", reason)
    assert forced.code == 0, forced.err
    kept = "SELECT reason FROM alembic_version_ledger WHERE revision = '0016'"
    assert await value(database.url, kept) == reason
    needs = "SELECT requires_code FROM alembic_version_ledger WHERE revision = '0016'"
    assert await value(database.url, needs) == "0015"


@pytest.mark.slow
@pytest.mark.parametrize("by", ["option", "setting"])
async def test_it_waits_for_them_to_end(
    database: Database, older: Served, newer: Build, by: str
) -> None:
    """It says for whom, and goes on when the last has gone."""
    if by == "option":
        command, settings = ("vegafs", "upgrade", "--wait-for-services"), {}
    else:
        command, settings = ("alembic", "upgrade", "head"), {"VEGAFS_MIGRATE_SERVICES_WAIT_S": "60"}
    environment = {"DATABASE_URL": database.url, **PRODUCTION, **settings}
    waiting = newer.forks.start(*command, env=environment)
    assert eventually(lambda: "WAIT [services-alive]  0016 needs" in waiting.said, timeout_s=30)
    assert await value(database.url, AT) == "0014"
    assert not waiting.has_ended
    older.stop()
    result = waiting.wait(timeout_s=60)
    assert result.code == 0, result.err
    assert result.err.count("WAIT [services-alive]") == 1
    assert await value(database.url, AT) == "0016"


@pytest.mark.slow
async def test_it_does_not_wait_longer_than_it_was_told(
    database: Database, older: Served, newer: Build
) -> None:
    """Then it refuses, with nothing changed."""
    refused = migrate(
        newer, database, "alembic", "upgrade", "head", VEGAFS_MIGRATE_SERVICES_WAIT_S="0.5"
    )
    assert refused.code == 3, refused.err
    waited, _, said = refused.err.partition("\n")
    assert waited.startswith("WAIT [services-alive]  0016 needs the code of 0015")
    assert REFUSED.fullmatch(said), said
    assert await value(database.url, AT) == "0014"


@pytest.mark.slow
async def test_in_development_it_is_only_said(
    database: Database, older: Served, newer: Build
) -> None:
    """Who runs an upgrade there can see the service beside it."""
    result = migrate(
        newer, database, "alembic", "upgrade", "head", VEGAFS_ENVIRONMENT="development"
    )
    assert result.code == 0, result.err
    assert result.err.startswith(
        "WARNING [services-alive]  0016 needs the code of 0015, and 1 older"
    )
    assert await value(database.url, AT) == "0016"


@pytest.mark.slow
async def test_what_applies_no_contract_revision_asks_nobody(
    database: Database, older: Served, newer: Build
) -> None:
    """SQL that is only written, an untouched head, a downgrade, a stamp."""
    for command in (
        ("alembic", "upgrade", "0014:head", "--sql"),
        ("alembic", "upgrade", "0015"),
        ("alembic", "downgrade", "0014"),
        ("alembic", "stamp", "0014"),
    ):
        result = migrate(newer, database, *command, VEGAFS_MIGRATE_BACKUP_WAIVED="a test")
        assert "services-alive" not in result.err
        assert result.code == 0, (command, result.err)


@pytest.mark.slow
async def test_a_service_of_a_build_that_survives_is_not_in_the_way(
    database: Database, newer: Build
) -> None:
    """It has the code that the contract revision requires, or is newer than what is run here."""
    migrate(newer, database, "alembic", "upgrade", "0015")
    newest = newer.path("0016")
    source = newest.read_text("utf-8")
    newest.unlink()
    newer.lock()
    with served_by(newer.forks, DATABASE_URL=database.url, VEGAFS_WORKER="false") as service:
        service.wait_until_it_serves()
        newest.write_text(source, "utf-8")
        newer.lock()
        result = migrate(newer, database, "alembic", "upgrade", "head")
        assert result.code == 0, result.err
        # To this build its revision is a number that stands for nothing.
        assert living(database) == [None]
