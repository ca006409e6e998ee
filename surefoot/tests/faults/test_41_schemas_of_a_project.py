"""An application lives in a schema of its own, or in several: nothing differs that is the same."""

from __future__ import annotations

from functools import partial

import anyio
import asyncpg
import pytest
from sqlalchemy import CheckConstraint, Column, Enum, ForeignKey, Index, Integer, MetaData, String
from sqlalchemy import Table as ModelTable

import surefoot
from harness.clock import within
from harness.databases import Database, Databases, agreement, engine
from harness.runs import Chain, Launcher
from surefoot.chain.lockfile import read_lock, write_lock
from surefoot.differences import drift, render
from surefoot.project import Project
from surefoot.run.commands import upgrade
from surefoot.scratch import scratch
from surefoot.startup.watch import Watch
from surefoot.target import Target
from surefoot.testing import ChainTests
from surefoot.testing.round_trip import walk_round_trip
from surefoot.trace.fingerprints import fingerprinted
from surefoot.version_table import VersionTable

ENV = """
from surefoot import Environment

Environment(
    metadata=(), database="harness.environment:database", schemas={0!r}, version_table_schema={1!r}
).run()
"""


def models(schema: str | None) -> MetaData:
    made = MetaData(schema=schema)
    kind = Enum("a", "b", name="kind", metadata=made)
    ModelTable("t", made, Column("id", Integer, primary_key=True), Column("kind", kind))
    ModelTable(
        "u", made, Column("id", Integer, primary_key=True), Column("s", String(9)),
        Column("t_id", ForeignKey("t.id" if schema is None else f"{schema}.t.id", name="fk")),
        CheckConstraint("s IN ('a', 'b')", name="ck"), Index("ix", "s"),
    )  # fmt: skip
    return made


def revise(chain: Chain, prefix: str) -> None:
    """Two revisions that give the models, with or without the name of the schema."""
    chain.add(
        f"op.execute(\"CREATE TYPE {prefix}kind AS ENUM ('a', 'b')\")\n"
        f"op.execute('CREATE TABLE {prefix}t (id serial PRIMARY KEY, kind {prefix}kind)')"
    )
    chain.add(
        f'op.execute("CREATE TABLE {prefix}u (id serial PRIMARY KEY, s varchar(9) CONSTRAINT ck '
        f"CHECK (s IN ('a', 'b')), t_id int CONSTRAINT fk REFERENCES {prefix}t (id))\")\n"
        f"op.execute('CREATE INDEX ix ON {prefix}u (s)')"
    )


@pytest.mark.sample(2)
@pytest.mark.parametrize(("path", "home"), [("app", None), ("public", "app")])
async def test_alembic_check_compares_the_schemas_that_the_project_names(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    path: str,
    home: str | None,
) -> None:
    """With models that name the schema, and those that leave it to the search path; no other."""
    models = f"""metadata = MetaData(schema={home!r})
Table("t", metadata, Column("id", Integer, primary_key=True), Column("n", Integer, index=True))
"""
    env = f"from sqlalchemy import *\n{models}{ENV.replace('metadata=()', 'metadata=metadata')}"
    (chain.folder / "alembic" / "env.py").write_text(env.format(("app",), home), "utf-8")
    await watcher.execute(
        "CREATE SCHEMA app; CREATE SCHEMA other; CREATE TABLE other.x (id int); "
        f"ALTER DATABASE {empty_database.name} SET search_path = {path}"
    )
    index = "ix_t_n" if home is None else "ix_app_t_n"
    chain.add(
        "op.execute('CREATE TABLE app.t (id serial PRIMARY KEY, n int)')\n"
        f"op.execute('CREATE INDEX {index} ON app.t (n)')"
    )
    url = empty_database.url
    for command in (["upgrade", "head"], ["check"]):
        done = await launcher.alembic(chain, *command, url=url)
        assert done.code == 0, done
    await watcher.execute("ALTER TABLE app.t DROP COLUMN n; CREATE TABLE app.more (id int)")
    done = await launcher.alembic(chain, "check", url=url)
    assert done.code == 1, done
    there = "" if home is None else f"{home}."
    assert f"remove table {there}more" in done.err
    assert f"add column {there}t.n" in done.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schemas", "prefix", "path", "home"),
    [
        pytest.param((), "", "app, public", None, id="the search path alone"),
        pytest.param((), "", "nowhere, public", None, id="a search path to nowhere"),
        pytest.param(("app",), "", "app", None, id="named"),
        pytest.param(("app",), "app.", "public", "app", id="named and written out"),
    ],
)
async def test_an_untouched_database_does_not_differ(
    chain: Chain,
    empty_database: Database,
    databases: Databases,
    watcher: asyncpg.Connection,
    schemas: tuple[str, ...],
    prefix: str,
    path: str,
    home: str | None,
) -> None:
    """From its revisions, its models and revisions.lock; a change by hand does."""
    (chain.folder / "alembic" / "env.py").write_text(ENV.format(schemas, home), "utf-8")
    await watcher.execute(
        f"CREATE SCHEMA app; ALTER DATABASE {empty_database.name} SET search_path = {path}"
    )
    revise(chain, prefix)
    table = VersionTable(schema=home)
    project = Project.read(chain.ini, schemas=schemas, version_table=table, metadata=[models(home)])
    server = await databases.empty()
    database = surefoot.Database(empty_database.url, scratch_url=server.url)
    async with engine(database, "migrate") as made:
        await upgrade(Target.of(made, project), "head")
    async with scratch(database, project) as empty:
        write_lock(
            chain.lock_path, await fingerprinted(Target.of(empty, project), project.revisions())
        )
    async with engine(database, "observe") as made:
        found = await agreement(made, chain.lock_path, table, schemas)
        assert (found.revision, found.agrees) == ("0002", True)
        untouched = await drift(project, database)
        assert (untouched.deviations, untouched.models) == ((), ())

        lived_in = "app" if path.startswith("app") or home else "public"
        await watcher.execute(f"DROP INDEX {lived_in}.ix")
        assert (await agreement(made, chain.lock_path, table, schemas)).agrees is False
        (lost,) = (await drift(project, database)).deviations
        assert (lost.word, lost.title) == ("missing", "index ix")


@pytest.mark.slow
async def test_each_of_several_schemas_is_compared_and_repaired(
    chain: Chain, empty_database: Database, databases: Databases, watcher: asyncpg.Connection
) -> None:
    """Names of the second one have it before them; the printed statements bring it back."""
    schemas = ("public", "audit")
    (chain.folder / "alembic" / "env.py").write_text(ENV.format(schemas, None), "utf-8")
    chain.add("op.execute('CREATE SCHEMA IF NOT EXISTS audit')")
    chain.add(
        "op.execute('CREATE TABLE t (id int PRIMARY KEY)')\n"
        "op.execute('CREATE TABLE audit.log (id int REFERENCES t, note text)')\n"
        "op.execute('CREATE INDEX ix ON audit.log (note)')"
    )
    project = Project.read(chain.ini, schemas=schemas)
    server = await databases.empty()
    database = surefoot.Database(empty_database.url, scratch_url=server.url)
    async with engine(database, "migrate") as made:
        await upgrade(Target.of(made, project), "head")
    assert (await drift(project, database)).count == 0

    await watcher.execute("DROP INDEX audit.ix; ALTER TABLE audit.log DROP CONSTRAINT log_id_fkey")
    found = await drift(project, database)
    assert [each.title for each in found.deviations] == [
        "constraint audit.log.log_id_fkey",
        "index audit.ix",
    ]
    for each in found.deviations:
        for statement in each.repair.sql:
            await watcher.execute(statement)
    assert (await drift(project, database)).count == 0


async def test_drift_says_where_a_table_is_that_the_schemas_leave_out(
    chain: Chain, empty_database: Database, databases: Databases, watcher: asyncpg.Connection
) -> None:
    """The search path leads to another schema than the first one that the project names."""
    (chain.folder / "alembic" / "env.py").write_text(ENV.format(("app",), None), "utf-8")
    chain.add("op.execute('CREATE SCHEMA IF NOT EXISTS app; CREATE TABLE t (id int PRIMARY KEY)')")
    project = Project.read(chain.ini, schemas=("app",))
    server = await databases.empty()
    database = surefoot.Database(empty_database.url, scratch_url=server.url)
    async with engine(database, "migrate") as made:
        await upgrade(Target.of(made, project), "head")

    found = await drift(project, database)
    assert [each.title for each in found.deviations] == ["table t"]
    assert (found.note or "").startswith("t is in the schema public, ")
    assert render(found).splitlines()[-3].startswith("Note:  t is in the schema public, ")
    assert render(found).endswith("Next: name the schemas as the note says")

    # Gone for good: the note tells only of a relation that is there.
    await watcher.execute("DROP TABLE t")
    assert (await drift(project, database)).note is None
    await watcher.execute("CREATE TABLE app.t (id int PRIMARY KEY)")
    found = await drift(project, database)
    assert (found.deviations, found.note) == ((), None)


@pytest.mark.slow
async def test_the_tests_of_a_chain_compare_its_schemas(
    chain: Chain, empty_database: Database
) -> None:
    """The models, whose first schema is the project's own, and what a downgrade leaves."""
    (chain.folder / "alembic" / "env.py").write_text(ENV.format(("app",), "app"), "utf-8")
    revise(chain, "app.")
    for path, down in (("0001", "TABLE app.t; DROP TYPE app.kind"), ("0002", "INDEX app.ix")):
        undo = "\n    ".join(f"op.execute('{each}')" for each in f"DROP {down}".split("; "))
        text = chain.path(path).read_text("utf-8")
        chain.path(path).write_text(text.removesuffix("pass\n") + f"{undo}\n", "utf-8")
    chain.lock()
    table = VersionTable(schema="app")
    tests = ChainTests(chain.ini, models("app"), version_table=table, schemas=("app",))
    database = surefoot.Database(empty_database.url, scratch_url=empty_database.url)
    walk = await walk_round_trip(tests, partial(scratch, database, tests.project))
    assert walk.models == []
    assert {name: error.code for name, error in walk.errors.items()} == {
        "0002": "round-trip-differs"
    }


@pytest.mark.slow
async def test_a_fingerprint_of_another_method_is_not_comparable(
    chain: Chain, empty_database: Database
) -> None:
    """Neither a match nor a mismatch: revisions.lock has none until it is measured again."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    async with engine(empty_database.access, "migrate") as made:
        await upgrade(Target.of(made, chain.ini), "head")
        found = (await agreement(made, chain.lock_path)).found
        for written, agrees in ((found, True), (found.partition("/")[0], None), ("0" * 64, None)):
            text = chain.lock_path.read_text("utf-8")
            chain.lock_path.write_text(text.replace("-  -/", f"{written}  -/"), "utf-8")
            assert (await agreement(made, chain.lock_path)).agrees is agrees
            chain.lock_path.write_text(text, "utf-8")
    assert read_lock(chain.lock_path)[0].fingerprint is None


@pytest.mark.slow
@pytest.mark.parametrize("copied", [False, True], ids=["of the revisions", "a copy"])
async def test_a_plan_knows_the_tables_that_the_search_path_leads_to(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    copied: bool,
) -> None:
    """Their sizes and the rows that a statement reaches, where the project names no schema."""
    (chain.folder / "alembic" / "env.py").write_text(ENV.format((), None), "utf-8")
    await watcher.execute(
        f'CREATE SCHEMA "The App"; ALTER DATABASE {empty_database.name} '
        'SET search_path = "The App", public'
    )
    chain.add("op.execute('CREATE TABLE t (id int PRIMARY KEY, n int)')")
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    await watcher.execute(
        'INSERT INTO "The App".t SELECT g, g FROM generate_series(1, 20000) g; ANALYZE "The App".t'
    )
    chain.add("op.execute('CREATE INDEX ix ON t (n)')")
    chain.add("op.execute('UPDATE t SET n = 1 WHERE n < 10000')")
    option = ["--from-database"] if copied else []
    done = await launcher.surefoot(chain, "plan", *option, url=empty_database.url)
    there = "The App.t" if copied else "t"
    assert f"scans {there}: 20.0k rows, " in done.out, done
    assert f"expects to update 9,999 rows of {there}, by Seq Scan on t\n" in done.out
    assert "unknown time" not in done.out
    assert "not seen" not in done.out


@pytest.mark.slow
async def test_a_role_whose_sessions_begin_as_another_one(
    chain: Chain, empty_database: Database, databases: Databases, watcher: asyncpg.Connection
) -> None:
    """A scratch database of it is found, and its search path is that of the project."""
    owner, login = f"{empty_database.name}_owner", f"{empty_database.name}_login"
    await watcher.execute(
        f"CREATE ROLE {owner} CREATEDB; CREATE ROLE {login} LOGIN; GRANT {owner} TO {login}; "
        f"ALTER ROLE {login} SET role = {owner}; "
        f"CREATE SCHEMA app AUTHORIZATION {owner}; "
        f"ALTER DATABASE {empty_database.name} SET search_path = app"
    )
    try:
        (chain.folder / "alembic" / "env.py").write_text(ENV.format(("app",), None), "utf-8")
        revise(chain, "")
        project = Project.read(chain.ini, schemas=("app",), metadata=[models(None)])
        url = empty_database.url.replace("://tester@", f"://{login}@")
        database = surefoot.Database(url, scratch_url=url)
        async with engine(database, "migrate") as made:
            await upgrade(Target.of(made, project), "head")
        found = await drift(project, database)
        assert (found.deviations, found.models) == ((), ())
    finally:
        await watcher.execute(f"DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}, {login}")


async def test_drift_leaves_out_tables_of_others_that_no_revision_creates(
    chain: Chain, empty_database: Database, databases: Databases, watcher: asyncpg.Connection
) -> None:
    """They share the schemas; a table that a revision creates is compared, whatever is excluded."""
    chain.add(
        "op.execute('CREATE SCHEMA IF NOT EXISTS audit; CREATE TABLE t (id int PRIMARY KEY)')"
    )
    project = Project.read(chain.ini, schemas=("public", "audit"), exclude=("t", "of_others", "v"))
    server = await databases.empty()
    database = surefoot.Database(empty_database.url, scratch_url=server.url)
    async with engine(database, "migrate") as made:
        await upgrade(Target.of(made, project), "head")
    await watcher.execute(
        "CREATE TABLE of_others (id serial PRIMARY KEY, t int REFERENCES t CHECK (t > 0)); "
        "CREATE INDEX ON of_others (t); CREATE VIEW v AS SELECT * FROM of_others; "
        "CREATE TABLE audit.of_others (id int GENERATED ALWAYS AS IDENTITY)"
    )
    found = await drift(project, database)
    assert (found.deviations, found.left_out) == ((), ("of_others", "v", "audit.of_others"))
    assert render(found).splitlines()[1:] == [
        "Excluded by the project, and not compared:  of_others, v, audit.of_others"
    ]

    await watcher.execute("ALTER TABLE t ADD COLUMN n int; CREATE TABLE mine (id int)")
    found = await drift(project, database)
    assert {each.title for each in found.deviations} == {"column t.n", "table mine"}
    assert "not compared:  of_others, v, audit.of_others\n\n2 differences." in render(found)


async def test_tables_of_others_are_no_drift_of_a_service_or_a_stamp(
    chain: Chain, empty_database: Database, launcher: Launcher, watcher: asyncpg.Connection
) -> None:
    """They make no database one to adopt, and fingerprints leave them out: that of a run, of a
    stamp, of the status and of a service. A function of that name is the project's own.
    """
    env = chain.folder / "alembic" / "env.py"
    env.write_text(
        ENV.format((), None).replace("metadata=()", "metadata=(), exclude=['of_others']")
    )
    chain.add("op.execute('CREATE TABLE t (id int PRIMARY KEY)')", "op.execute('DROP TABLE t')")
    chain.add(
        "op.execute('CREATE FUNCTION of_others() RETURNS int LANGUAGE sql RETURN 1')",
        "op.execute('DROP FUNCTION of_others')",
    )
    url = empty_database.url
    assert (await launcher.surefoot(chain, "lock", url=url)).code == 0
    await watcher.execute("CREATE TABLE of_others (id serial PRIMARY KEY)")
    for command in (("upgrade", "0001"), ("stamp", "0001"), ("upgrade", "head")):
        done = await launcher.alembic(chain, *command, url=url)
        assert done.code == 0, done.err
    said = await launcher.surefoot(chain, "status", url=url)
    assert (said.code, said.out.splitlines()[0]) == (
        0,
        f"OK  {empty_database.name}: at head 0002, no drift",
    )
    listed = await launcher.surefoot(chain, "ops", "stamp", "0002", "--reason", "a", url=url)
    assert listed.err.startswith("0 differences between the database and the schema of 0002")
    for exclude in ((), ("of_others",)):
        async with engine(surefoot.Database(url), "watch") as made:
            watch = Watch(made, Project.read(chain.ini, exclude=exclude).build())
            await watch.refresh()
            async with watch.on():
                with anyio.fail_after(within(5)):
                    while watch.agrees is None:
                        await anyio.sleep(0.02)
                assert watch.agrees is bool(exclude)
