"""A full disk, missing permission, a replica that only reads, the wrong database."""

import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from harness.databases import Database, access_to, connect, engine, execute, value
from harness.private import REPLICATING, NotAllowed, PrivateServer, small_disk, standby
from harness.proxy import Network
from harness.runs import Chain, Launcher
from surefoot.overview.model import Unread
from surefoot.overview.reading import read
from surefoot.project import Project

FILE = "alembic/versions/0002_change.py"


@pytest.fixture
def small(chain: Chain) -> Chain:
    """A chain of one revision."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    return chain


@pytest.fixture
async def role(empty_database: Database, watcher: asyncpg.Connection) -> AsyncIterator[str]:
    """A role that may connect and nothing else."""
    name = f"{empty_database.name}_poor"
    await watcher.execute(f"CREATE ROLE {name} LOGIN")
    yield name
    await watcher.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def as_role(url: str, name: str) -> str:
    changed = url.replace("://tester@", f"://{name}@")
    assert changed != url
    return changed


async def recorded(url: str) -> list[tuple[str, str]]:
    connection = await connect(url)
    rows = await connection.fetch(
        "SELECT revision, outcome FROM alembic_version_ledger ORDER BY id"
    )
    await connection.close()
    return [tuple(row) for row in rows]


@pytest.mark.slow
async def test_an_extension_that_a_server_lacks(
    small: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The message names the setting that leads to another scratch server."""
    small.add("op.execute('CREATE EXTENSION something')")
    done = await launcher.surefoot(small, "lock", "--baseline", "heads", url=empty_database.url)
    assert done.code == 4
    assert 'extension "something" is not available (SQLSTATE 0A000)' in done.err
    assert "for a scratch database set Database(scratch_url=…)" in done.err


@pytest.mark.slow
async def test_a_statement_that_no_server_does(
    small: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Its SQLSTATE is that of a missing extension; what other objects depend on is told apart."""
    small.add("op.execute('CREATE VIEW v AS SELECT id FROM t')")
    small.add("op.execute('ALTER TABLE t ALTER id TYPE bigint')")
    done = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert done.code == 4
    needing = '(rule _RETURN on view v depends on column "id")'
    assert f"column used by a view or rule {needing} (SQLSTATE 0A000)" in done.err
    assert "FAILED [objects-depend]" in done.err
    assert "help: drop the dependent objects before it, and create those that stay" in done.err
    small.path("0003").unlink()
    small.add("op.execute('CREATE TABLE far.away.t ()')")
    done = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert "FAILED [step-not-supported]" in done.err
    assert "help: change the statement, or use a server that has what is missing" in done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (
            "CREATE VIEW v AS SELECT id FROM t",
            "DROP TABLE t",
            "because other objects depend on it (view v depends on table t) (SQLSTATE 2BP01)",
        ),
        (
            "CREATE TABLE u (n text UNIQUE)",
            "INSERT INTO u VALUES ('a depends on b'), ('a depends on b')",
            'unique constraint "u_n_key" (SQLSTATE 23505)',
        ),
    ],
)
async def test_the_objects_that_depend_on_another_are_told_and_no_row(
    small: Chain, launcher: Launcher, empty_database: Database, first: str, second: str, told: str
) -> None:
    """The DETAIL of an error is told where it names objects alone."""
    small.add(f"op.execute({first!r})")
    small.add(f"op.execute({second!r})")
    done = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert told in done.err
    assert ("FAILED [objects-depend]" in done.err) == ("depend on it" in told)


@pytest.mark.slow
async def test_they_are_told_in_the_language_of_the_server(
    small: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Whatever its words are."""
    small.add("op.execute('CREATE VIEW v AS SELECT id FROM t')")
    small.add("op.execute('DROP TABLE t')")
    async with Network(empty_database.url).up() as network:
        network.replaced = {b" depends on table": b" braucht die Tab."}
        done = await launcher.alembic(small, "upgrade", "head", url=network.url)
    assert "(view v braucht die Tab. t) (SQLSTATE 2BP01)" in done.err


@pytest.mark.slow
async def test_a_full_disk(small: Chain, launcher: Launcher) -> None:
    """The revision is rolled back, and the same command works once there is room."""
    try:
        with small_disk("6m") as (url, folder):
            await execute(url, f"CREATE TABLESPACE small LOCATION '{folder}'")
            small.add(
                """
                op.execute("CREATE TABLE half (id int) TABLESPACE small")
                op.execute("INSERT INTO half SELECT g FROM generate_series(1, 500000) g")
                """
            )
            small.add("op.execute('CREATE TABLE after (id int)')")
            result = await launcher.alembic(small, "upgrade", "head", url=url)
            assert result.code == 4, result.err
            assert re.search(
                rf"\nFAILED \[disk-full\]  0002 failed: {FILE}:13: could not extend file "
                r'"[^"]+": No space left on device \(SQLSTATE 53100\)\n'
                r"  done: 0001\n"
                r"  kept of 0002: nothing\n"
                r"  help: make room on the database server's disk, then `alembic upgrade head` "
                r"again\n$",
                result.err,
            ), result.err
            assert await value(url, "SELECT version_num FROM alembic_version") == "0001"
            assert await value(url, "SELECT to_regclass('half') IS NULL")
            assert await recorded(url) == [("0001", "applied"), ("0002", "failed")]
            path = small.path("0002")
            path.write_text(path.read_text().replace("500000", "500"))
            small.lock()
            again = await launcher.alembic(small, "upgrade", "head", url=url)
            assert again.code == 0, again.err
    except NotAllowed:
        pytest.skip("this system allows no disk of a test's own")


async def test_a_role_that_may_not_create_anything(
    small: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    role: str,
) -> None:
    """It is said before a revision begins."""
    url = as_role(empty_database.url, role)
    result = await launcher.alembic(small, "upgrade", "head", url=url)
    assert result.code == 2, result.err
    assert result.err == (
        f"ERROR [permission-missing]  '{role}' may not do this in '{empty_database.name}': "
        "permission denied for schema public\n"
        "  help: grant it, or run the command as the role that owns the schema\n"
    )
    assert await watcher.fetchval("SELECT count(*) FROM pg_class WHERE relname ~ '^alembic'") == 0


@pytest.mark.slow
async def test_a_role_that_does_not_own_what_is_changed(
    small: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    role: str,
) -> None:
    """Permitted revisions are applied; the refused one is named with its place.

    The same SQLSTATE stands for a right that no owner has, as to create an extension.
    """
    await watcher.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    await watcher.execute("CREATE SCHEMA other; CREATE TABLE other.theirs (id int)")
    await watcher.execute(f"GRANT USAGE ON SCHEMA other TO {role}")
    small.add("op.execute('ALTER TABLE other.theirs ADD COLUMN n int')")
    url = as_role(empty_database.url, role)
    result = await launcher.alembic(small, "upgrade", "head", url=url)
    assert result.code == 4, result.err
    assert result.err.endswith(
        f"FAILED [step-not-permitted]  0002 failed: {FILE}:12: must be owner of table theirs "
        "(SQLSTATE 42501)\n"
        "  done: 0001\n"
        "  kept of 0002: nothing\n"
        "  help: run it as a role that may, such as the owner of what it changes, or let this role "
        "do it, then `alembic upgrade head` again\n"
    )
    assert await recorded(url) == [("0001", "applied"), ("0002", "failed")]


async def test_a_session_that_only_reads(
    small: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    role: str,
) -> None:
    """A role, or a database, whose transactions are read-only by default."""
    await watcher.execute(
        f"GRANT ALL ON SCHEMA public TO {role};"
        f"ALTER ROLE {role} SET default_transaction_read_only = on"
    )
    url = as_role(empty_database.url, role)
    result = await launcher.alembic(small, "upgrade", "head", url=url)
    assert (result.code, result.err) == (
        3,
        f"REFUSED [read-only]  the sessions of '{empty_database.name}' are read-only "
        "(default_transaction_read_only is on)\n"
        "  help: turn it off for the role that migrates: "
        "ALTER ROLE … SET default_transaction_read_only = off\n",
    )
    # These write nothing before they know that the database is behind.
    for command in (["check"], ["revision", "--autogenerate", "-m", "more"]):
        result = await launcher.alembic(small, *command, url=url)
        assert result.code == 1, result.err
        assert result.err.startswith("ERROR [database-behind]  "), result.err


@pytest.mark.slow
async def test_a_role_without_another_connection(
    small: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    role: str,
) -> None:
    """The server has answered; where it is, and whether it is up, is not the question."""
    await watcher.execute(
        f"GRANT ALL ON SCHEMA public TO {role}; ALTER ROLE {role} CONNECTION LIMIT 1"
    )
    url = as_role(empty_database.url, role)
    held = await connect(url)
    result = await launcher.alembic(small, "upgrade", "head", url=url)
    async with engine(access_to(url), "observe") as made:
        found = await read(made, Project.read(small.ini).build())
    await held.close()
    assert found.ledger == found.services == Unread(f'too many connections for role "{role}"')
    assert result.code == 75, result.err
    assert result.err.endswith(
        f' cannot be reached: too many connections for role "{role}"\n'
        "  help: end other sessions, or raise the limit that is met: CONNECTION LIMIT of the role "
        "or of the database, or max_connections of the server\n"
    ), result.err


@pytest.mark.slow
async def test_a_standby(small: Chain, launcher: Launcher, private_server: PrivateServer) -> None:
    """The primary is asked for; what only looks may look here."""
    primary = private_server(**REPLICATING)
    url = primary.url("postgres")
    first = await launcher.alembic(small, "upgrade", "head", url=url)
    assert first.code == 0, first.err
    with standby(primary) as replica:
        assert await value(replica, "SELECT pg_is_in_recovery()")
        small.add("op.execute('CREATE TABLE u (id int)')")
        result = await launcher.alembic(small, "upgrade", "head", url=replica)
        assert (result.code, result.err) == (
            3,
            "REFUSED [standby]  the server of 'postgres' is a standby, which takes no changes\n"
            "  help: name the primary in the database URL that env.py names, or several hosts with "
            "?target_session_attrs=read-write\n",
        )
        asking = f"{replica}&target_session_attrs=read-write"
        result = await launcher.alembic(small, "upgrade", "head", url=asking)
        assert result.code == 75
        assert "reached: no host is one that its target_session_attrs asks for\n" in result.err
        # The commands that read find the primary, too, in sessions that are read-only.
        both = f"{url},{replica.partition('host=')[2]}&target_session_attrs=read-write"
        for command in (["status"], ["plan"], ["verify"]):
            looked = await launcher.surefoot(small, *command, url=both)
            assert looked.code != 75, looked.err
        for of, is_standby in (("read-write", False), ("read-only", True)):
            observing = await access_to(both.replace("read-write", of)).connect("observe")
            sql = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')"
            assert tuple(await observing.fetchrow(sql) or ()) == (is_standby, "on")
            await observing.close()
        current = await launcher.alembic(small, "current", url=replica)
        assert (current.code, current.out) == (0, "0001\n"), current.err
        small.path("0002").unlink()
        checked = await launcher.alembic(small, "check", url=replica)
        assert checked.code == 3, checked.err
        assert checked.err.startswith("REFUSED [standby]  the server of 'postgres' is a standby")
    assert await recorded(url) == [("0001", "applied"), ("0001", "measured")]


@pytest.mark.slow
async def test_a_role_that_may_not_log_in(
    small: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    role: str,
) -> None:
    """Its password is not the reason."""
    await watcher.execute(f"ALTER ROLE {role} NOLOGIN")
    url = as_role(empty_database.url, role)
    result = await launcher.alembic(small, "upgrade", "head", url=url)
    assert result.code == 2, result.err
    assert result.err.startswith("ERROR [login-not-allowed]  ")
    assert result.err.endswith(
        f" does not let '{role}' log in: role \"{role}\" is not permitted to log in\n"
        "  help: let the role log in there, by pg_hba.conf or ALTER ROLE, or correct the database "
        "URL that env.py names: its user, or ?sslmode=require where the server asks for "
        "encryption\n"
    )


@pytest.mark.slow
async def test_a_server_without_tls(
    small: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """It is up, and trying again helps nobody."""
    async with Network(empty_database.url).up() as network:
        url = f"{network.url}?sslmode=require"
        result = await launcher.alembic(small, "upgrade", "head", url=url)
    assert result.code == 2, result.err
    at = network.url.partition("@")[2].partition("/")[0]
    assert result.err == (
        f"ERROR [tls-failed]  {at} does not have the TLS that the database URL asks for: "
        f'PostgreSQL server at "{at}" rejected SSL upgrade\n'
        "  help: correct sslmode and sslrootcert in the database URL that env.py names, or "
        "the certificate of the server\n"
    )


@pytest.mark.slow
async def test_a_database_that_is_not_there(
    small: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """A misspelt name is told from a server that is down."""
    url = empty_database.url.replace(empty_database.name, "nowhere")
    result = await launcher.alembic(small, "upgrade", "head", url=url)
    assert result.code == 2, result.err
    assert result.err.startswith("ERROR [database-missing]  there is no database 'nowhere' on ")
    assert result.err.endswith(
        "  help: create it with `createdb nowhere`, or correct the database URL that env.py names\n"
    )


async def test_a_database_of_another_project(
    small: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Its revision table names a revision that nobody here knows."""
    await watcher.execute(
        "CREATE TABLE alembic_version (version_num varchar(32));"
        "INSERT INTO alembic_version VALUES ('c0ffee'); CREATE TABLE theirs (id int)"
    )
    result = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert (result.code, result.err) == (
        1,
        f"ERROR [database-ahead]  database '{empty_database.name}' is at c0ffee, which this build "
        "does not know; its newest revision is 0001; ahead of it: c0ffee (unknown)\n"
        "  help: deploy the build that has c0ffee, or downgrade the database with that build; a "
        "development database is taken back by `surefoot db goto`\n",
    )
    assert await watcher.fetchval("SELECT to_regclass('t') IS NULL")
    assert await watcher.fetchval("SELECT to_regclass('alembic_version_ledger') IS NULL")


@pytest.mark.slow
async def test_a_role_that_may_read_the_version_table_alone_is_told_what_it_lacks(
    small: Chain, launcher: Launcher, empty_database: Database, role: str
) -> None:
    """The commands that look read the ledger too, without which a place is not known."""
    first = await launcher.alembic(small, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    await execute(empty_database.url, f"GRANT SELECT ON alembic_version TO {role}")
    url = as_role(empty_database.url, role)
    said = (
        f"ERROR [permission-missing]  '{role}' may not do this in '{empty_database.name}': "
        "permission denied for table alembic_version_ledger\n"
        "  help: grant it, or run the command as the role that owns the schema\n"
    )
    commands = (["current"], ["upgrade", "head"])
    results = [await launcher.alembic(small, *each, url=url) for each in commands]
    results.append(await launcher.surefoot(small, "plan", url=url))
    assert [(each.code, each.err) for each in results] == [(2, said)] * 3
    assert results[0].out == "0001 (head)\n"
