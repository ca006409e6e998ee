"""`vegafs db`, run as a process."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.databases import Database, value
from harness.forks import Result
from harness.processes import eventually, quick, user
from surefoot.connect.libpq import libpq_environment
from surefoot.connect.url import DatabaseUrl
from tests.support.project import run

Vegafs = Callable[..., Result]


@pytest.fixture
def vegafs(state_dir: Path) -> Vegafs:
    """The command, with a state folder of the test's own."""

    def call(*arguments: str, **environment: str) -> Result:
        return run("vegafs", "db", *arguments, VEGAFS_STATE_DIR=str(state_dir), **environment)

    return call


@pytest.mark.slow
def test_start_keeps_the_server_and_stop_ends_it(vegafs: Vegafs, state_dir: Path) -> None:
    """The messages on the way are enough to go on."""
    started = vegafs("start")
    assert started.code == 0
    assert started.err == (
        f"starting PostgreSQL 18 in {state_dir}\n"
        f"OK  PostgreSQL 18 is up in {state_dir}, and stays up\n"
        "Next: alembic upgrade head\n"
    )
    again = vegafs("start")
    assert again.err.startswith("OK  PostgreSQL 18 is up")
    stopped = vegafs("stop")
    assert (stopped.code, stopped.err) == (
        0,
        f"OK  stopped; the data stays in {state_dir}/data\nNext: vegafs db start\n",
    )
    assert vegafs("stop").err == f"OK  no server runs in {state_dir}\nNext: vegafs db start\n"


@pytest.mark.slow
def test_status_says_what_runs_and_what_keeps_it(vegafs: Vegafs, state_dir: Path) -> None:
    """Up or not, pinned or not, and who uses it."""
    assert vegafs("status").out == f"STOPPED  {state_dir}\n"
    state = quick(state_dir).start()
    assert vegafs("status").out == (
        f"UP  PostgreSQL 18, {state_dir}\n"
        f"  pid     {state.postgres_pid}\n"
        "  pinned  yes, it stays without users\n"
        "  users   none\n"
    )


@pytest.mark.slow
def test_stop_refuses_while_another_process_uses_the_server(
    vegafs: Vegafs, state_dir: Path
) -> None:
    """Exit code 3 and the way out; --now takes it."""
    with user(state_dir) as other:
        other.wait_until_up()
        refused = vegafs("stop")
        assert refused.code == 3
        assert refused.err.startswith("REFUSED [server-in-use]  the embedded server is in use by ")
        assert f"(pid {other.process.pid})" in refused.err
        assert refused.err.endswith("help: wait for them, or `vegafs db stop --now`\n")
        assert vegafs("stop", "--now").code == 0
        assert quick(state_dir).status().running is None


@pytest.mark.slow
async def test_url_prints_the_embedded_server_s(vegafs: Vegafs, state_dir: Path) -> None:
    """Alone on stdout, so that a shell can take it; it works as long as the server is kept."""
    vegafs("start")
    printed = vegafs("url")
    assert printed.out == f"postgresql://vegafs@/vegafs_dev?host={state_dir}/run\n"
    assert printed.err == "The embedded server; it stays up\nNext: vegafs db psql\n"
    assert await value(printed.out.strip(), "SELECT current_database()") == "vegafs_dev"


@pytest.mark.slow
def test_url_masks_the_password_unless_told_otherwise(vegafs: Vegafs) -> None:
    """A terminal may be watched."""
    url = "postgresql://u:S3cret@h:1/d?sslmode=require"
    masked = vegafs("url", DATABASE_URL=url)
    assert (masked.out, masked.code) == ("postgresql://u:***@h:1/d\n", 0)
    assert "S3cret" not in masked.err
    assert vegafs("url", "--show-password", DATABASE_URL=url).out == f"{url}\n"


@pytest.mark.slow
def test_psql_runs_on_the_embedded_server(vegafs: Vegafs, state_dir: Path) -> None:
    """It is started for psql, and ends after it."""
    done = vegafs("psql", "-At", "-c", "SELECT current_user, current_database()")
    assert done.out == "vegafs|vegafs_dev\n"
    assert eventually(lambda: not quick(state_dir).status().has_supervisor)


@pytest.mark.slow
def test_psql_s_exit_code_is_the_command_s(vegafs: Vegafs) -> None:
    """The process is replaced by psql: its signals and codes are psql's."""
    assert vegafs("psql", "-c", "SELECT nonsense").code == 1
    assert vegafs("psql", "--no-such-option").code == 1


@pytest.mark.slow
def test_psql_runs_on_the_database_in_force(vegafs: Vegafs, database: Database) -> None:
    """With DATABASE_URL set it is that one, and the name says who is there."""
    done = vegafs(
        *("psql", "-At", "-c", "SELECT current_database(), current_setting('application_name')"),
        DATABASE_URL=database.url,
    )
    assert done.out == f"{database.name}|vegafs-psql\n"


@pytest.mark.slow
def test_psql_hides_the_password_from_the_list_of_processes(
    vegafs: Vegafs, database: Database
) -> None:
    """Arguments are for everybody to see; the environment is not."""
    done = vegafs(
        *("psql", "-c", "\\! tr '\\0' ' ' </proc/$PPID/cmdline"),
        DATABASE_URL=database.url.replace("tester@", "tester:S3cret@"),
    )
    # Debian's psql is a script, which starts the program by its whole path.
    assert re.match(r"(/\S+/)?psql -c ", done.out)
    assert "S3cret" not in done.out


def test_the_whole_url_reaches_libpq() -> None:
    """As variables of the environment, one for each part."""
    url = DatabaseUrl.parse(
        "postgresql://u:p%40@a:1,b:2/d?sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=3"
        "&target_session_attrs=primary&application_name=n&options=-c%20search_path%3Da%2C%5C%20b"
        "&ssl_min_protocol_version=TLSv1.3&sslnegotiation=direct&passfile=/p"
    )
    assert libpq_environment(url, "vegafs-psql") == {
        "PGHOST": "a,b",
        "PGPORT": "1,2",
        "PGDATABASE": "d",
        "PGUSER": "u",
        "PGPASSWORD": "p@",
        "PGPASSFILE": "/p",
        "PGTARGETSESSIONATTRS": "primary",
        "PGCONNECT_TIMEOUT": "3",
        "PGAPPNAME": "n",
        "PGOPTIONS": "-c search_path=a,\\ b",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca.pem",
        "PGSSLMINPROTOCOLVERSION": "TLSv1.3",
        "PGSSLNEGOTIATION": "direct",
    }


@pytest.mark.slow
def test_production_has_no_server_of_its_own(vegafs: Vegafs) -> None:
    """The command says what to set instead."""
    for command in ("start", "url", "psql"):
        done = vegafs(command, VEGAFS_ENVIRONMENT="production")
        assert done.code == 2
        assert done.err.startswith(
            "ERROR [database-url-missing]  DATABASE_URL is not set, and the embedded server is for "
            "development only\n  help: set DATABASE_URL="
        )
