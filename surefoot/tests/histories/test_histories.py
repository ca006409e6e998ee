"""Projects of other teams move in as they are: their past runs as under plain Alembic.

Each is adopted as it stands, by `surefoot adopt --write`.
"""

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from harness.commands import run_alembic
from harness.databases import Database, Databases, engine, execute
from harness.forks import Result, forks
from histories.history import History, Manner
from histories.manners import MANNERS
from surefoot.catalog import Catalog, snapshot
from surefoot.chain.lockfile import write_lock
from surefoot.project import Project
from surefoot.version_table import VersionTable

State = tuple[Catalog, dict[str, list[str]]]


def case(manner: Manner) -> object:
    """A parameter; only the first is quick."""
    marks = [] if manner is MANNERS[0] else [pytest.mark.slow]
    return pytest.param(manner, id=manner.name, marks=marks)


@pytest.fixture(params=map(case, MANNERS))
def manner(request: pytest.FixtureRequest) -> Manner:
    found: Manner = request.param
    return found


@pytest.fixture
def plain(manner: Manner, tmp_path: Path) -> History:
    """The project on an env.py of its own."""
    return History(manner, tmp_path / "plain", plain=True)


@pytest.fixture
def adopted(manner: Manner, tmp_path: Path) -> History:
    """The same project, adopted; no database answers meanwhile."""
    made = History(manner, tmp_path / "adopted", plain=False)
    adopt(made, "--write")
    return made


def adopt(history: History, *arguments: str) -> Result:
    """Run `surefoot adopt`, which works."""
    url = {"DATABASE_URL": "postgresql://nobody@localhost:1/nothing"}
    done = forks().start("surefoot", "adopt", *arguments, env=url, cwd=history.folder).wait()
    assert done.code == 0, done.err or done.out
    return done


def lock(history: History) -> None:
    """Write revisions.lock."""
    project = Project.read(history.folder / "alembic.ini")
    write_lock(project.lock, project.revisions())


def alembic(history: History, database: Database, *arguments: str) -> Result:
    """A command that works."""
    done = run_alembic(*arguments, url=database.url, cwd=history.folder)
    assert done.code == 0, done.err or done.out
    return done


def up_and_down(history: History, database: Database) -> None:
    """A new revision of the project goes up and down again."""
    new = history.add()
    lock(history)
    alembic(history, database, "upgrade", history.manner.head)
    assert new in alembic(history, database, "current").out
    step = "core@-1" if history.manner.shape == "bases" else "-1"
    alembic(history, database, "downgrade", step)


async def empty(manner: Manner, databases: Databases) -> Database:
    """A database with nothing but the schema of the version table, which Alembic does not make."""
    made = await databases.empty()
    if manner.schema:
        await execute(made.url, f"CREATE SCHEMA {manner.schema}")
    return made


async def state(manner: Manner, database: Database) -> State:
    """The catalog and the rows of a database."""
    async with engine(database.access, "observe") as made, made.connect() as connection:
        return await connection.run_sync(partial(read, manner))


def read(manner: Manner, connection: Connection) -> State:
    table = VersionTable(manner.version_table or VersionTable.name, manner.schema)
    inside = manner.schema or "public"
    found = snapshot(connection, [inside], version_table=table)
    names = connection.exec_driver_sql(
        f"SELECT relname FROM pg_class WHERE relnamespace = '{inside}'::regnamespace "
        "AND relkind IN ('r', 'v') ORDER BY 1"
    ).scalars()
    rows = {
        name: [
            *connection.exec_driver_sql(
                f"SELECT t::text FROM {inside}.{name} t ORDER BY 1"
            ).scalars()
        ]
        for name in names.all()
        if name != table.ledger_name
    }
    return found, rows


@pytest.mark.slow
def test_adopting_writes_what_it_has_shown(manner: Manner, tmp_path: Path) -> None:
    """Nothing is written before it is asked for, and there is nothing to do afterwards."""
    history = History(manner, tmp_path, plain=False)
    before = files(history)
    shown = adopt(history).out
    assert files(history) == before
    adopt(history, "--write")
    after = files(history)
    assert {path for path in after if after[path] != before.get(path)} == {
        history.folder / "surefoot-ci.yml",
        history.scripts / "env.py",
        Project.read(history.folder / "alembic.ini").lock,
    }
    assert all(f"{history.scripts.name}/{name}" in shown for name in ("env.py", "revisions.lock"))
    assert "nothing to do" in adopt(history, "--write").err
    assert files(history) == after


def files(history: History) -> dict[Path, bytes]:
    """The files of a project."""
    return {path: path.read_bytes() for path in history.folder.rglob("*") if path.is_file()}


@pytest.mark.slow
async def test_two_at_once_reach_what_plain_alembic_does(
    manner: Manner, plain: History, adopted: History, databases: Databases
) -> None:
    """Up from empty beside plain Alembic; then a new revision goes up, and down again."""
    theirs, ours = await empty(manner, databases), await empty(manner, databases)
    alembic(plain, theirs, "upgrade", manner.head)
    url = {"DATABASE_URL": ours.url}
    runs = forks().start_many(
        "alembic", "upgrade", manner.head, count=2, env=url, cwd=adopted.folder
    )
    for run in runs:
        done = run.wait()
        assert done.code == 0, done.err
    before = await state(manner, theirs)
    assert await state(manner, ours) == before
    up_and_down(adopted, ours)
    assert await state(manner, ours) == before


@pytest.mark.slow
@pytest.mark.parametrize("back", [0, 3])
async def test_a_database_of_plain_alembic_is_taken_over(
    back: int, manner: Manner, plain: History, adopted: History, databases: Databases
) -> None:
    """At head, or three revisions before it."""
    theirs = await empty(manner, databases)
    alembic(plain, theirs, "upgrade", plain.before if back else manner.head)
    ours = await databases.copy(theirs)
    for history, database in ((plain, theirs), (adopted, ours)):
        alembic(history, database, "upgrade", manner.head)
    after = await state(manner, theirs)
    assert await state(manner, ours) == after
    up_and_down(adopted, ours)
    assert await state(manner, ours) == after
