"""A traced revision leaves nothing on the scratch server that its database does not take along."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text

import surefoot
from harness.databases import Database
from harness.forks import Result, forks
from harness.runs import Chain
from harness.server import Server
from surefoot.errors import ClusterChanged
from surefoot.scratch import scratch

# The roles of a test in the shared catalogs; their names begin with that of its database.
SHARED = """
SELECT (SELECT json_agg(r ORDER BY rolname) FROM pg_authid r WHERE starts_with(rolname, $1)),
       (SELECT json_agg(shobj_description(oid, 'pg_authid')) FROM pg_authid
        WHERE starts_with(rolname, $1)),
       (SELECT json_agg(s ORDER BY s::text) FROM pg_db_role_setting s
        LEFT JOIN pg_authid r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase
        WHERE starts_with(rolname, $1) OR datname = 'postgres' OR setrole = 0 AND setdatabase = 0),
       (SELECT count(*) FROM pg_auth_members JOIN pg_authid r ON r.oid = member
        WHERE starts_with(rolname, $1)),
       (SELECT count(*) FROM pg_tablespace WHERE spcacl::text LIKE '%' || $1 || '%')
"""
STATEMENTS = {
    "a role": ("CREATE ROLE cluster_new", "pg_authid"),
    "a role that is changed": ("ALTER ROLE cluster_old CONNECTION LIMIT 3", "pg_authid"),
    "a role that is dropped": ("DROP ROLE cluster_old", "pg_authid"),
    "a setting of a role": ("ALTER ROLE cluster_old SET work_mem = '1MB'", "pg_db_role_setting"),
    "a setting of all roles": ("ALTER ROLE ALL SET work_mem = '1MB'", "pg_db_role_setting"),
    "a membership": ("GRANT pg_monitor TO cluster_old", "pg_auth_members"),
    "a comment on a role": ("COMMENT ON ROLE cluster_old IS 'x'", "pg_shdescription"),
    "a grant on a tablespace": (
        "GRANT CREATE ON TABLESPACE pg_default TO cluster_old",
        "pg_tablespace",
    ),
    "another database": ("ALTER DATABASE postgres SET work_mem = '1MB'", "pg_db_role_setting"),
    "a subscription": (
        "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false)",
        "pg_subscription",
    ),
    "a role in dynamic SQL": (
        "DO $$ BEGIN BEGIN EXECUTE 'CREATE ' || 'ROLE cluster_new'; EXCEPTION WHEN "
        "division_by_zero THEN NULL; END; END $$",
        "pg_authid",
    ),
    "a setting in a subtransaction": (
        "DO $$ BEGIN BEGIN ALTER ROLE cluster_old SET work_mem = '1MB'; EXCEPTION WHEN "
        "division_by_zero THEN NULL; END; END $$",
        "pg_db_role_setting",
    ),
}


@pytest.fixture
async def roles(watcher: asyncpg.Connection, empty_database: Database) -> AsyncIterator[str]:
    """The start of the names of two roles: `…_old` is there, `…_new` is not."""
    name = empty_database.name
    await watcher.execute(f"CREATE ROLE {name}_old")
    yield name
    await watcher.execute(f"DROP ROLE IF EXISTS {name}_new; DROP ROLE IF EXISTS {name}_old")


def lint(chain: Chain, database: Database, server: Server | None) -> Result:
    """`surefoot lint` with that scratch server, or with a throw-away one."""
    env = {"DATABASE_URL": database.url}
    if server is not None:
        env["SUREFOOT_TEST_SCRATCH_URL"] = server.url
    return forks().start("surefoot", "lint", env=env, cwd=chain.folder).wait()


@pytest.mark.sample(4)
@pytest.mark.parametrize(("statement", "catalog"), STATEMENTS.values(), ids=STATEMENTS)
async def test_what_the_whole_server_shares_is_refused_on_a_named_one(
    watcher: asyncpg.Connection, server: Server, roles: str, statement: str, catalog: str
) -> None:
    """By what the transaction has written, and not by its text; nothing of it is kept."""
    before = await watcher.fetchrow(SHARED, roles)
    async with scratch(surefoot.Database("postgresql:///x", scratch_url=server.url)) as engine:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("CREATE TABLE t (id int)")
            await connection.exec_driver_sql(statement.replace("cluster", roles))
            with pytest.raises(ClusterChanged) as refused:
                await connection.commit()
        async with engine.connect() as connection:
            kept = await connection.exec_driver_sql("SELECT to_regclass('t') IS NOT NULL")
            assert not kept.scalar()
    assert catalog in refused.value.catalogs
    assert await watcher.fetchrow(SHARED, roles) == before


async def test_another_session_s_setting_is_not_of_the_revision(
    watcher: asyncpg.Connection, server: Server, roles: str
) -> None:
    """Both have written to the same catalog at the same time."""
    async with scratch(surefoot.Database("postgresql:///x", scratch_url=server.url)) as engine:
        async with engine.connect() as connection:
            await connection.exec_driver_sql("CREATE TABLE t (id int)")
            await watcher.execute(f"ALTER ROLE {roles}_old SET work_mem = '1MB'")
            name = await connection.scalar(text("SELECT current_database()"))
            own = f"ALTER ROLE {roles}_old IN DATABASE {name} SET work_mem = '2MB'"
            await connection.exec_driver_sql(own)
            await connection.commit()
        async with engine.connect() as connection:
            kept = await connection.exec_driver_sql("SELECT to_regclass('t') IS NOT NULL")
            assert kept.scalar()


@pytest.mark.slow
async def test_lint_refuses_such_a_revision(
    chain: Chain, empty_database: Database, server: Server, roles: str
) -> None:
    """Exit code 3: the revision was not tried to its end."""
    chain.add(f"op.execute('CREATE ROLE {roles}_new')", f"op.execute('DROP ROLE {roles}_new')")
    result = lint(chain, empty_database, server)
    assert result.code == 3, result.err
    # From PostgreSQL 16 on, whoever creates a role becomes a member of it.
    assert (
        "REFUSED [cluster-changed]  on the scratch database: a revision changes pg_a" in result.err
    )
    assert result.err.endswith(
        "pg_authid, which all databases of the scratch server share: it would stay there; the "
        "transaction was rolled back\n"
        "  help: leave roles, tablespaces and settings of the server to whoever sets it up; or "
        "leave Database(scratch_url=…) unset: a throw-away server is gone with all of it\n"
    )


@pytest.mark.slow
async def test_a_throw_away_server_takes_them(chain: Chain, empty_database: Database) -> None:
    """It is gone afterwards, with its roles."""
    chain.add("op.execute('CREATE ROLE r')", "op.execute('DROP ROLE r')")
    result = lint(chain, empty_database, None)
    assert result.code == 0, result.err


@pytest.mark.slow
async def test_settings_of_the_scratch_database_go_with_it(
    chain: Chain, empty_database: Database, server: Server
) -> None:
    """So does what a role owns there, and what it was granted."""
    chain.add(
        """
        op.execute('''DO $$ BEGIN
            EXECUTE format('ALTER DATABASE %I SET work_mem = 4096', current_database());
            CREATE TABLE t (id int); GRANT SELECT ON t TO pg_monitor; END $$''')
        """,
        "op.execute('DROP TABLE t')",
    )
    result = lint(chain, empty_database, server)
    assert result.code == 0, result.err
