"""A development database: taken back by the files of another branch, amended, made again."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

import surefoot.project
from harness.databases import Database, access_to, connect, engine, execute, value
from harness.repositories import Repository
from harness.runs import Chain, Launcher, Result
from surefoot.branches.amending import keep, newest, remove
from surefoot.errors import UsageError
from surefoot.ledger.services import announce

ENV = """\
import os

from surefoot import Database, Environment, Limits

Environment(
    metadata="models:metadata",
    database=Database(os.environ["DATABASE_URL"], name="sample", limits=Limits({limits})),
    targets={targets},
    extensions={extensions},
).run()
"""
MODELS = """\
import sqlalchemy as sa

metadata = sa.MetaData()
for name in {tables}:
    sa.Table(name, metadata, sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False))
"""
TABLES = """
SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'
"""
LEFT = """
SELECT count(*) FROM pg_database
WHERE datname ~ ('^' || left(current_database(), 20) || '.*_(new|old)_[0-9a-f]{8}$')
"""
AT = "SELECT string_agg(version_num, ' ' ORDER BY version_num) FROM alembic_version"
SEEDS = """\
from sqlalchemy import text


async def seed(connection):
    insert = "INSERT INTO start VALUES (7) ON CONFLICT (id) DO NOTHING"
    await connection.execute(text(insert))
"""
FAILS = "def seed(connection):\n    raise ValueError('no shop')\n"
# Each would have inserted a row, and has not.
NOT_RUN = (
    (
        "async def insert(): ...\n\n\ndef seed(connection):\n    return insert()",
        "TypeError: it gave one coroutine, which has not run",
    ),
    ("def seed(connection):\n    yield", "TypeError: it gave one generator, which has not run"),
    ("async def seed(connection):\n    yield", "it gave one async generator, which has not run"),
    ("import sys\n\n\nasync def seed(connection):\n    sys.exit(0)", "SystemExit: 0"),
    ("import sys\n\n\ndef seed(connection):\n    sys.exit('no')", "SystemExit: no"),
)
# Its annotations are texts, which Python looks up in the module of the class.
WITH_CLASS = """\
from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Shop:
    id: int


def seed(connection):
    connection.exec_driver_sql(f"INSERT INTO start VALUES ({Shop(8).id})")
"""
WAITS = """\
import asyncio


async def seed(connection):
    print("seeds run", flush=True)
    await asyncio.sleep(60)
"""
# A session that is open after the seeds, on the new database.
STAYS = """\
import os

import asyncpg

opened = []


async def seed(connection):
    name = (await connection.exec_driver_sql("SELECT current_database()")).scalar()
    settings = {"application_name": "stays"}
    url = os.environ["DATABASE_URL"]
    opened.append(await asyncpg.connect(url, database=name, server_settings=settings))
"""


class Project:
    """A repository whose branch main has 0001, and a database of its developer."""

    def __init__(self, chain: Chain, launcher: Launcher, database: Database) -> None:
        self.chain, self.launcher, self.database = chain, launcher, database
        self.configure()
        self.model("start")
        self.repository = Repository(chain)
        self.git = self.repository.git
        self.repository.add("start", "start")
        self.git("remote", "add", "origin", ".")
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("switch", "-qc", "mine")

    def configure(
        self, *, limits: str = "", targets: str = "None", extensions: Sequence[str] = ()
    ) -> None:
        env = ENV.format(limits=limits, targets=targets, extensions=extensions)
        (self.chain.folder / "alembic" / "env.py").write_text(env, "utf-8")

    def model(self, *tables: str) -> None:
        path = self.chain.folder / "models.py"
        path.write_text(MODELS.format(tables=tables), "utf-8")

    async def run(
        self, *arguments: str, code: int = 0, env: dict[str, str] | None = None
    ) -> Result:
        """A command of the library. On failure: AssertionError, where it exits otherwise."""
        run = await self.launcher.start(
            self.chain, *arguments, url=self.database.url, program="surefoot", env=env
        )
        done = await run.end()
        assert done.code == code, (done.out, done.err)
        return done

    async def run_alembic(self, *arguments: str) -> None:
        done = await self.launcher.alembic(self.chain, *arguments, url=self.database.url)
        assert done.code == 0, done.err

    async def up(self, **env: str) -> None:
        done = await self.launcher.alembic(
            self.chain, "upgrade", "head", url=self.database.url, env=env
        )
        assert done.code == 0, done.err

    async def tables(self) -> object:
        return await value(self.database.url, TABLES)

    async def at(self) -> object:
        return await value(self.database.url, AT)


@pytest.fixture
def project(chain: Chain, launcher: Launcher, empty_database: Database) -> Project:
    return Project(chain, launcher, empty_database)


@pytest.mark.slow
async def test_a_database_of_another_branch_is_taken_back(project: Project) -> None:
    """By the files that applied its revisions, though this branch has another file of that id."""
    project.repository.add("rank", "rank")
    project.repository.add("size", "size")
    await project.up()
    project.git("switch", "-qc", "theirs", "main")
    project.repository.add("files", "files")
    refused = await project.launcher.alembic(
        project.chain, "upgrade", "head", url=project.database.url
    )
    assert "a development database is taken back by `surefoot db goto`" in refused.err
    unknown = await project.run("db", "goto", "00021", code=2)
    assert "no revision is '00021'\n  help: did you mean '0002'?" in unknown.err
    # Only the reflog has the other branch any more.
    project.git("branch", "-qD", "mine")
    done = await project.run("db", "goto")
    assert [line.split(" of ")[0] for line in done.out.splitlines()] == [
        "  0003_size.py",
        "  0002_rank.py",
    ]
    assert done.err.endswith(
        f"OK  2 revisions of another branch reverted; {project.database.name} is at 0001\n"
        "Next: alembic upgrade head\n"
    ), done.err
    assert (await project.at(), await project.tables()) == ("0001", "start")
    await project.run("db", "goto", "head")
    assert (await project.at(), await project.tables()) == ("0002", "files start")
    nothing = await project.run("db", "goto")
    assert nothing.err == (
        f"OK  {project.database.name} is at 0002; it has no revision of another branch\n"
    )
    await project.run("db", "goto", "0001")
    assert await project.at() == "0001"


@pytest.mark.slow
async def test_a_revision_of_another_branch_that_cannot_go_back(project: Project) -> None:
    """The way on is a new database: the file is in git, and not for somebody to correct.

    What the server advises comes first.
    """
    project.chain.add(
        "op.execute('CREATE TABLE rank ()')",
        """op.execute("DO $$BEGIN RAISE 'no way' USING HINT = 'Ask Ada.'; END$$")""",
    )
    project.git("add", "-A")
    project.git("commit", "-qm", "rank")
    await project.up()
    project.git("switch", "-q", "main")
    failed = await project.run("db", "goto", code=4)
    assert "no way" in failed.err
    assert "  help: Ask Ada; then `surefoot db goto` again; or give the database up:" in failed.err
    assert "surefoot db reset --execute` makes a new one at head" in failed.err
    assert await project.at() == "0002"


@pytest.mark.slow
async def test_a_file_of_the_working_tree_is_never_taken_for_it(project: Project) -> None:
    """A revision that was applied and never committed is in no commit."""
    path = project.chain.versions / "0002_change.py"
    project.chain.add("op.execute('CREATE TABLE rank ()')", "op.execute('DROP TABLE rank')")
    await project.up()
    text = path.read_text("utf-8")
    path.write_text(text.replace("DROP TABLE rank", "DROP TABLE start"), "utf-8")
    project.chain.lock()
    refused = await project.run("db", "goto", code=3)
    assert refused.err == (
        f"REFUSED [revision-not-found]  '{project.database.name}' has 0002, and no commit that git "
        "knows has the file that was applied: it cannot be taken back\n"
        "  help: `git fetch` the branch that has it; or give the database up: `surefoot db reset "
        "--execute` makes a new one at head\n"
    )
    assert (await project.at(), await project.tables()) == ("0002", "rank start")


@pytest.mark.slow
async def test_a_database_that_plain_alembic_migrated_is_taken_back(project: Project) -> None:
    """Without a ledger the files are found by their ids, each by the one that builds on it."""
    project.repository.add("rank", "rank")
    project.repository.add("size", "size")
    await project.up()
    await execute(project.database.url, "DROP TABLE alembic_version_ledger CASCADE")
    project.git("switch", "-q", "main")
    project.git("switch", "-qc", "other")
    project.repository.add("file", "file")
    project.git("switch", "-q", "main")
    refused = await project.run("db", "goto", code=2)
    assert "has 0002, its ledger does not say by which file" in refused.err
    assert "0002_file.py of " in refused.err
    assert "0002_rank.py of " in refused.err
    assert (await project.at(), await project.tables()) == ("0003", "rank size start")
    project.git("branch", "-qD", "other")
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "-q", "--prune=now")
    await project.run("db", "goto")
    assert (await project.at(), await project.tables()) == ("0001", "start")


@pytest.mark.slow
@pytest.mark.parametrize("why", ["production", "target", "service", "other user"])
async def test_a_database_of_others_is_refused(project: Project, why: str) -> None:
    """With the reason, and nothing is changed."""
    project.repository.add("rank", "rank")
    url = project.database.url
    reason = {
        "production": "its environment is production",
        "target": "it is the target staging",
        "service": "a service runs on it: sample-observe@",
        "other user": "ci@",
    }[why]
    await project.up(**({"LOGNAME": "ci"} if why == "other user" else {}))
    if why == "production":
        project.configure(limits="production=True")
    if why == "target":
        project.configure(targets=f"{{'staging': {url!r}}}")
    async with engine(access_to(url), "observe") as made, made.connect() as service:
        if why == "service":
            assert await service.run_sync(announce, "0002")
        files = project.repository.files
        for command in ("amend", "drop-last", "db goto 0001", "db reset --execute", "db seed"):
            if command == "db seed":
                (project.chain.folder / "seeds.py").write_text(SEEDS, "utf-8")
            done = await project.run(*command.split(), code=3)
            assert done.err.startswith("REFUSED [database-shared]  "), done.err
            assert f" may not be yours alone, as this command requires:\n  {reason}" in done.err
            assert (await project.at(), project.repository.files) == ("0002", files)
    if why == "other user":
        await project.run("drop-last", "--mine")
        assert await project.at() == "0001"


@pytest.mark.slow
async def test_the_newest_revision_is_written_again(project: Project) -> None:
    """Under its title, from the models as they are; what a hand wrote is kept."""
    project.model("start", "rank")
    await project.up()
    await project.run_alembic("revision", "--autogenerate", "-m", "add the rank")
    await project.up()
    path = project.chain.versions / "0002_add_the_rank.py"
    by_hand = path.read_text("utf-8") + "\n# By hand.\n"
    path.write_text(by_hand, "utf-8")
    project.model("start", "rank", "size")
    done = await project.run("amend")
    assert done.out == "  0002_add_the_rank.py\n"
    assert done.err.endswith("OK  written again, and applied\n"), done.err
    assert (await project.at(), await project.tables()) == ("0002", "rank size start")
    kept = Path(done.err.splitlines()[0].removeprefix("KEEP  ").partition(": ")[0])
    assert (project.chain.folder / kept / path.name).read_text("utf-8") == by_hand
    # Where it cannot be written, it is as it was.
    text, template = path.read_text("utf-8"), project.chain.folder / "alembic" / "script.py.mako"
    broken = template.read_text("utf-8")
    other = "<% open('alembic/versions/other.py', 'w').write('# Other.') %>"
    template.write_text(f"{other}${{nothing_like_that}}", "utf-8")
    # Alembic leaves a file there.
    failed = await project.run("amend", code=2, env={"TMPDIR": str(template.parent)})
    told = failed.err.partition("NOT WRITTEN  the former files are back, and applied\n")[2]
    assert told.startswith("ERROR [usage]  "), failed.err
    assert "Template rendering failed" in told
    (line,) = [each for each in failed.err.splitlines() if each.endswith(": other.py")]
    kept = Path(line.removeprefix("KEEP  ").partition(": ")[0])
    assert (project.chain.folder / kept / "other.py").read_text("utf-8") == "# Other."
    template.write_text(broken, "utf-8")
    assert (path.read_text("utf-8"), await project.at()) == (text, "0002")
    assert project.repository.files == ["0001_start.py", path.name]
    await project.run("lock", "--check")
    project.model("start")
    gone = await project.run("amend")
    assert gone.err.endswith("OK  the models need no revision in its place\n"), gone.err
    assert (await project.at(), project.repository.files) == ("0001", ["0001_start.py"])
    released = await project.run("amend", code=3)
    assert released.err.startswith(
        "REFUSED [revision-released]  0001_start is released: origin/main has it"
    )


@pytest.mark.slow
async def test_the_last_revision_is_dropped(project: Project) -> None:
    """From the database, the folder and the lock, and not a second time what main has."""
    project.repository.add("rank", "rank")
    await project.up()
    done = await project.run("drop-last")
    assert done.err.endswith("OK  0002_rank deleted, and revisions.lock written\n"), done.err
    assert (await project.at(), await project.tables()) == ("0001", "start")
    assert project.repository.files == ["0001_start.py"]
    await project.run("lock", "--check")
    again = await project.run("drop-last", code=3)
    assert "0001_start is released: origin/main has it" in again.err
    project.git("update-ref", "-d", "refs/remotes/origin/main")
    project.git("branch", "-qD", "main")
    await project.run("drop-last")
    assert (await project.tables(), project.repository.files) == ("", [])
    shown = await project.run("status")
    assert ": the project has no revision yet" in shown.out
    assert "\nNext:  alembic revision --autogenerate" in shown.out


@pytest.mark.slow
async def test_what_goes_is_counted(project: Project) -> None:
    """Each revision that is reverted says which tables and rows it takes with it."""
    insert = "INSERT INTO rank SELECT generate_series(1, 3)"
    lost = "WARNING [data-would-be-lost]  0002 loses data: table rank (~3 rows)"
    project.repository.add("rank", "rank")
    project.repository.add("size", "size")
    await project.up()
    await execute(project.database.url, insert)
    gone = await project.run("db", "goto", "0001")
    assert [line for line in gone.err.splitlines() if "loses" in line] == [lost]
    await project.up()
    await execute(project.database.url, insert)
    project.git("switch", "-qc", "theirs", "main")
    assert lost in (await project.run("db", "goto")).err
    project.git("switch", "-q", "mine")
    await project.run("drop-last")
    await project.up()
    await execute(project.database.url, insert)
    assert lost in (await project.run("drop-last")).err


async def test_copies_outlast_a_worktree(project: Project, tmp_path: Path) -> None:
    """They are in the repository; and no file is deleted that is not the one that was kept."""
    project.repository.add("rank", "rank")
    folder = tmp_path / "other"
    project.git("worktree", "add", "-qb", "other", str(folder))
    of = surefoot.project.Project.read(folder / "alembic.ini")
    taken = newest(of, of.revisions(), None)
    # Folders may have files of one name.
    twin = {folder / "more" / "0002_rank.py": b"# Another.\n"}
    place = keep(of, replace(taken, files={**taken.files, **twin}))
    edited = next(iter(taken.files))
    edited.write_bytes(edited.read_bytes() + b"\n# By hand.\n")
    with pytest.raises(UsageError, match=r"0002_rank\.py was changed meanwhile"):
        remove(of, taken)
    assert edited.read_bytes().endswith(b"# By hand.\n")
    project.git("worktree", "remove", "--force", str(folder))
    kept = (place / "0002_rank.py").read_text("utf-8")
    assert kept == project.repository.read("0002_rank.py")
    assert (place / "0002_rank-2.py").read_text("utf-8") == "# Another.\n"


@pytest.mark.slow
async def test_a_new_database_takes_the_place_of_the_old_one(project: Project) -> None:
    """At head and with the seeds; the old one stays where any of it fails."""
    await project.up()
    url, seeds = project.database.url, project.chain.folder / "seeds.py"
    await execute(url, "INSERT INTO start VALUES (1); CREATE TABLE by_hand ()")
    shown = await project.run("db", "reset")
    assert shown.out.startswith(f"{project.database.name} is at 0001: ")
    assert shown.err == "nothing was changed. Next: surefoot db reset --execute\n"
    for text, code, said in (
        (STAYS, 3, "a session is connected to it: stays (backend "),
        (FAILS, 4, "seeds.py:2 failed: ValueError: no shop; the database is as it was\n"),
        ("x = 1", 2, "seeds.py cannot be used: it has no function seed(connection)"),
        ("import nothing_like_that", 2, "seeds.py cannot be used: ModuleNotFoundError"),
    ):
        seeds.write_text(text, "utf-8")
        failed = await project.run("db", "reset", "--execute", code=code)
        assert said in failed.err
        assert await project.tables() == "by_hand start"
    seeds.write_text(SEEDS, "utf-8")
    session = await connect(url, "psql")
    refused = await project.run("db", "reset", "--execute", code=3)
    await session.close()
    assert "\n  a session is connected to it: psql (backend " in refused.err
    assert await project.tables() == "by_hand start"
    done = await project.run("db", "reset", "--execute")
    name = project.database.name
    assert done.err.endswith(f"OK  {name} is new and at head, with the rows of seeds.py\n")
    rows = "SELECT array_agg(id) FROM start"
    assert (await project.tables(), await value(url, rows)) == ("start", [7])
    await project.run("db", "seed")
    assert await value(url, rows) == [7]
    assert await value(url, LEFT) == 0


@pytest.mark.slow
async def test_a_new_database_has_the_extensions_of_the_operator(project: Project) -> None:
    """As a scratch database has; the help of a revision that misses one names the setting."""
    project.chain.add("op.execute('CREATE TABLE notes (tag citext)')", "op.drop_table('notes')")
    await execute(project.database.url, "CREATE EXTENSION citext")
    await project.up()
    missed = await project.run("drift", "--no-models", code=4)
    assert "Environment(extensions=['citext']) gives it to scratch databases" in missed.err
    project.configure(extensions=["citext"])
    for command in (("drift", "--no-models"), ("lint",), ("db", "reset", "--execute")):
        await project.run(*command)
    assert await project.tables() == "notes start"
    project.configure(extensions=["citext", "no such"])
    for command in (("drift", "--no-models"), ("db", "reset", "--execute")):
        failed = await project.run(*command, code=4)
        assert "[extension-not-created]  the extension no such of Environment" in failed.err
    assert await project.tables() == "notes start"


@pytest.mark.slow
async def test_a_copy_has_the_extensions_of_the_database_alone(project: Project) -> None:
    """In its schema; the one that a scratch database is given would be in `public`."""
    url = project.database.url
    await execute(url, "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext")
    project.chain.add("op.execute('CREATE TABLE notes (tag ext.citext)')", "op.drop_table('notes')")
    await project.up()
    project.chain.add("op.execute('ALTER TABLE notes ADD n int')", "op.drop_column('notes', 'n')")
    project.configure(extensions=["citext", "hstore"])
    plan = await project.run("plan", "--from-database")
    assert "tried on a copy of its schema" in plan.out
    project.chain.add("op.execute('ALTER TABLE notes ADD h hstore')", "pass")
    plan = await project.run("plan", "--from-database", code=4)
    assert 'type "hstore" does not exist' in plan.err


@pytest.mark.slow
async def test_seeds_that_have_not_run_are_no_success(project: Project) -> None:
    await project.up()
    seeds = project.chain.folder / "seeds.py"
    for text, said in NOT_RUN:
        seeds.write_text(f"{text}\n", "utf-8")
        failed = await project.run("db", "seed", code=4)
        assert said in failed.err
        assert failed.err.splitlines()[0].endswith("; only what it committed itself is kept")
    seeds.write_text(WITH_CLASS, "utf-8")
    await project.run("db", "seed")
    assert await value(project.database.url, "SELECT array_agg(id) FROM start") == [8]


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_reset_that_is_told_to_end_leaves_nothing(
    project: Project, by: signal.Signals
) -> None:
    if signal.getsignal(by) == signal.SIG_IGN:
        pytest.skip(f"this process ignores {by.name}, as under nohup, and so do those it starts")
    await project.up()
    (project.chain.folder / "seeds.py").write_text(WAITS, "utf-8")
    run = await project.launcher.start(
        project.chain, "db", "reset", "--execute", url=project.database.url, program="surefoot"
    )
    await run.says("seeds run")
    run.signal(by)
    done = await run.end()
    assert (done.code, done.err.endswith("\nINTERRUPTED\n")) == (128 + by, True), done.err
    assert (await project.tables(), await value(project.database.url, LEFT)) == ("start", 0)


@pytest.mark.slow
async def test_a_name_whose_bytes_leave_no_room_for_more_is_taken_over(project: Project) -> None:
    first, name = project.database, project.database.name.ljust(35, "ä")
    url = first.url.replace(first.name, quote(name))
    await execute(first.url, f'CREATE DATABASE "{name}"')
    project.database = replace(first, name=name, url=url)
    await project.up()
    await execute(url, "CREATE TABLE by_hand ()")
    done = await project.run("db", "reset", "--execute")
    assert done.err.endswith(f"OK  {name} is new and at head\n"), done.err
    assert (await project.tables(), await value(url, LEFT)) == ("start", 0)
    await execute(first.url, f'DROP DATABASE "{name}"')


@pytest.mark.slow
async def test_an_old_database_that_cannot_be_dropped_is_named(project: Project) -> None:
    """As a template, which PostgreSQL does not drop."""
    name, url = project.database.name, project.database.url
    await project.up()
    await execute(url, f'ALTER DATABASE "{name}" IS_TEMPLATE true')
    done = await project.run("db", "reset", "--execute", code=4)
    assert f"'{name}' is new and at head, and the former one is left as '{name}_old_" in done.err
    drop = done.err.rpartition("once nothing needs it: ")[2].rstrip()
    old = drop.split()[2].strip('"')
    await execute(url, f'ALTER DATABASE "{old}" IS_TEMPLATE false')
    await execute(url, drop)
    assert await value(url, LEFT) == 0


STOCK = (
    '"""${message}\n\nRevision ID: ${up_revision}\n"""\n\nfrom alembic import op\n\n'
    "revision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\n\n\n"
    'def upgrade() -> None:\n    ${upgrades if upgrades else "pass"}\n\n\n'
    'def downgrade() -> None:\n    ${downgrades if downgrades else "pass"}\n'
)


@pytest.mark.slow
async def test_numbers_go_on_after_a_merge(project: Project) -> None:
    """Alembic gives the merge an id of its own."""
    for number in ("0002", "0003"):
        project.chain.add("pass", "pass", identifier=number, down="0001")
    await project.run_alembic("merge", "heads", "-m", "join")
    before = {*project.repository.files}
    await project.run_alembic("revision", "-m", "go on")
    (written,) = {*project.repository.files} - before
    assert Path(written).name.startswith("0004_"), written


@pytest.mark.slow
@pytest.mark.parametrize("stock", [None, pytest.param(STOCK, marks=pytest.mark.slow)])
async def test_a_merge_and_an_empty_revision_are_no_contract(
    project: Project, stock: str | None
) -> None:
    """Whatever template writes them; and the command that undoes the merge does that alone."""
    if stock is not None:
        (project.chain.folder / "alembic" / "script.py.mako").write_text(stock, "utf-8")
    for number, down in (("2", "0001"), ("3", "0001")):
        create, drop = f"CREATE TABLE t{number} ()", f"DROP TABLE t{number}"
        project.chain.add(
            f"op.execute('{create}')", f"op.execute('{drop}')", identifier=number, down=down
        )
    done = await project.launcher.alembic(
        project.chain, "upgrade", "heads", url=project.database.url
    )
    assert done.code == 0, done.err
    before = {*project.repository.files}
    await project.run_alembic("merge", "heads", "-m", "join")
    await project.run_alembic("revision", "-m", "nothing yet")
    written = sorted({*project.repository.files} - before)
    phases = [project.repository.read(name).count('phase = "expand"') for name in written]
    assert phases == [1, 1]
    up = await project.launcher.alembic(project.chain, "upgrade", "head", url=project.database.url)
    undo = up.err.rstrip().rpartition("Undo: alembic ")[2]
    assert undo.startswith("downgrade "), up.err
    back = await project.launcher.alembic(project.chain, *undo.split(), url=project.database.url)
    assert (back.code, await project.at()) == (0, "2 3"), back.err
