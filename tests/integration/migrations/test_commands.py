"""Every command of the guide, as a process on a real database, with what it prints."""

import re
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db.engine import create_engine
from harness.commands import psql, snapshot_of
from harness.databases import Database
from harness.forks import Result
from surefoot.catalog import difference
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import heads, read_revisions
from tests.integration.migrations.conftest import ROOT, imported
from tests.support.project import run_alembic
from tests.support.settings import settings_of

CHAIN = read_revisions(ROOT / "alembic" / "versions")
IDS = [revision.id for revision in CHAIN]
HEAD = IDS[-1]
# The records of runs, which stay when everything else is reverted.
BOOKKEEPING = {"alembic_version", "alembic_version_ledger"}


def timeless(text_: str) -> str:
    """The text with every duration as `N s`."""
    return re.sub(r"\d+(\.\d+)? s\b", "N s", text_)


async def tables(database: Database) -> set[str]:
    engine = create_engine(settings_of(database.url), "observe")
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                "AND relkind IN ('r', 'v')"
            )
        )
        found = set(rows.scalars())
    await engine.dispose()
    return found


def apply(database: Database, *arguments: str, cwd: Path = ROOT) -> Result:
    result = run_alembic(*arguments, url=database.url, cwd=cwd)
    assert result.code == 0, result
    return result


@pytest.mark.slow
async def test_upgrade_head_applies_all_and_then_nothing(empty_database: Database) -> None:
    """The first run lists each revision, the second says that there is nothing to do."""
    first = apply(empty_database, "upgrade", "head")
    lines = timeless(first.err).splitlines()
    assert first.out == ""
    assert lines[0] == f"APPLY  {empty_database.name}: {len(IDS)} revisions, base to {HEAD}"
    assert lines[1] == f"  1 of {len(IDS)}  0001  Create volumes  N s"
    assert lines[-1] == f"OK  {len(IDS)} applied in N s. Undo: alembic downgrade base"
    assert {"volumes", "files", "jobs", "volume_usage"} <= await tables(empty_database)

    second = apply(empty_database, "upgrade", "head")
    assert timeless(second.err) == (
        f"OK  {empty_database.name} is at head {HEAD}. Nothing to do. (N s)\n"
    )
    assert second.out == ""


@pytest.mark.slow
async def test_upgrade_to_an_id_and_by_a_step(empty_database: Database) -> None:
    """`upgrade 0002` stops there; `upgrade +1` goes one further; `+2` two."""
    name = empty_database.name
    assert timeless(apply(empty_database, "upgrade", "0002").err).splitlines()[0] == (
        f"APPLY  {name}: 2 revisions, base to 0002"
    )
    assert await tables(empty_database) == {*BOOKKEEPING, "volumes", "files"}
    assert timeless(apply(empty_database, "upgrade", "+1").err) == (
        f"APPLY  {name}: 1 revision, 0002 to 0003\n"
        "  1 of 1  0003  Create jobs  N s\n"
        "OK  1 applied in N s. Undo: alembic downgrade 0002\n"
    )
    apply(empty_database, "upgrade", "+2")
    assert apply(empty_database, "current").out == "0005\n"


@pytest.mark.slow
async def test_downgrade_by_a_step_to_an_id_and_to_base(database: Database) -> None:
    """Each revision is undone in reverse; base leaves nothing but the revision table."""
    name = database.name
    assert timeless(apply(database, "downgrade", "-1").err) == (
        f"REVERT  {name}: 1 revision, {HEAD} to {IDS[-2]}\n"
        f"  1 of 1  {HEAD}  Validate the references to media_types  N s\n"
        f"OK  1 reverted in N s. Redo: alembic upgrade {HEAD}\n"
    )
    apply(database, "downgrade", "0003")
    assert apply(database, "current").out == "0003\n"
    last = apply(database, "downgrade", "base")
    assert timeless(last.err).endswith("OK  3 reverted in N s. Redo: alembic upgrade 0003\n")
    assert await tables(database) == BOOKKEEPING


@pytest.mark.slow
async def test_current_says_where_the_database_is(empty_database: Database) -> None:
    """The id is the answer; what follows from it is said beside it."""
    name = empty_database.name
    nothing = apply(empty_database, "current")
    assert (nothing.out, nothing.err) == (
        "",
        f"{name} is at base: it was never migrated. Next: alembic upgrade head\n",
    )
    assert await tables(empty_database) == set()  # looking writes nothing
    apply(empty_database, "upgrade", "0002")
    behind = apply(empty_database, "current")
    assert (behind.out, behind.err) == (
        "0002\n",
        f"{name} is at 0002. Next: alembic upgrade head\n",
    )
    apply(empty_database, "upgrade", "head")
    at_head = apply(empty_database, "current")
    assert (at_head.out, at_head.err) == (f"{HEAD} (head)\n", "")


@pytest.mark.slow
async def test_history_shows_what_is_applied_and_what_is_pending(empty_database: Database) -> None:
    """Newest first, each with its state, its phase and its title."""
    apply(empty_database, "upgrade", IDS[-3])
    result = apply(empty_database, "history")
    lines = result.out.splitlines()
    assert lines[0] == f"pending  {HEAD}  expand    Validate the references to media_types"
    assert lines[2].startswith(f"applied  {IDS[-3]}")
    assert lines[-1] == "applied  0001  expand    Create volumes"
    assert [line.split()[1] for line in lines] == IDS[::-1]
    assert result.err == f"{len(IDS)} revisions, 2 pending. Next: alembic upgrade head\n"

    part = apply(empty_database, "history", "-r", "0002:current")
    assert [line.split()[1] for line in part.out.splitlines()] == IDS[1 : len(IDS) - 2][::-1]
    verbose = apply(empty_database, "history", "--verbose", "-r", "0001:0001")
    assert verbose.out.startswith("State: applied\nRev: 0001\n")


def test_history_is_shown_without_a_database() -> None:
    """An unreachable server hides the states, not the list."""
    result = run_alembic("history", url="postgresql://user@127.0.0.1:1/nowhere")
    assert result.code == 0
    assert result.out.splitlines()[-1] == "unknown  0001  expand    Create volumes"
    assert "Connection refused" in result.err
    assert "The list below says nothing of the database." in result.err


def test_heads_and_show_need_no_database() -> None:
    """Questions about the files need no database."""
    assert run_alembic("heads", url=None) == Result(0, f"{HEAD} (head)\n", "")
    shown = run_alembic("show", "0003", url=None)
    assert shown.code == 0
    assert shown.out.startswith("Rev: 0003\nParent: 0002\n")
    assert "Locks: SHARE ROW EXCLUSIVE" in shown.out


@pytest.mark.slow
async def test_stamp_head_leaves_the_schema_untouched(database: Database) -> None:
    """A restored schema that lost its revision table is told where it is; nothing else changes."""
    psql(
        database,
        "DROP TABLE alembic_version, alembic_version_ledger;"
        "DROP FUNCTION alembic_version_ledger_append_only",
    )
    before = await snapshot_of(database)
    result = apply(database, "stamp", "head")
    assert timeless(result.err) == (
        f"STAMP  {database.name}: 1 revision, base to {HEAD}\n"
        f"  1 of 1  {HEAD}  N s\n"
        "OK  1 stamped in N s. The schema is untouched.\n"
    )
    assert difference(before, await snapshot_of(database)) == []
    assert apply(database, "current").out == f"{HEAD} (head)\n"


@pytest.mark.slow
def test_a_stamp_that_is_not_true_is_refused(empty_database: Database) -> None:
    """It would hide the difference from every later run; the way to do it anyway is named."""
    result = run_alembic("stamp", "head", url=empty_database.url)
    assert result.code == 3
    lines = result.err.splitlines()
    assert lines[0].startswith(
        f"REFUSED [stamp-refused]  the schema of {empty_database.name!r} is not what {HEAD} gives "
    )
    assert lines[1] == f"  help: `vegafs ops stamp {HEAD} --reason …` shows the difference first"
    assert apply(empty_database, "current").out == ""


@pytest.mark.slow
def test_check_is_content_at_head(database: Database) -> None:
    """Models and migrated database are the same."""
    result = run_alembic("check", url=database.url)
    assert result == Result(0, "No new upgrade operations detected.\n", "")


@pytest.mark.slow
def test_check_lists_what_differs(database: Database, project: Path) -> None:
    """One line a difference, exit code 1, and the command that writes them down."""
    model = project / "app" / "db" / "models" / "jobs.py"
    source = model.read_text("utf-8")
    model.write_text(
        source.replace(
            "    error: Mapped[str | None]\n",
            '    error: Mapped[str | None] = mapped_column(comment="Why it failed")\n'
            "    priority: Mapped[int | None]\n",
        ),
        "utf-8",
    )
    result = run_alembic(
        "check", url=database.url, cwd=project, env={"PYTHONPATH": imported(project)}
    )
    assert result == Result(
        1,
        "",
        "ERROR [models-differ]  models and database have 2 differences\n"
        "  modify comment of jobs.error\n"
        "  add column jobs.priority\n"
        '  help: alembic revision --autogenerate -m "…" writes them as a revision\n',
    )


@pytest.mark.slow
def test_a_module_that_is_missing_is_named(database: Database, project: Path) -> None:
    """Instead of a traceback: what cannot be imported, by which Python, and what helps."""
    package = project / "app" / "db" / "models" / "__init__.py"
    package.write_text("import nonesuch\n" + package.read_text("utf-8"), "utf-8")
    result = run_alembic(
        "current", url=database.url, cwd=project, env={"PYTHONPATH": imported(project)}
    )
    assert result == Result(
        2,
        "",
        f"ERROR [models-not-importable]  No module named 'nonesuch' (this is {sys.executable})\n"
        "  help: activate the virtual environment and install the project: pip install -e .\n",
    )


def test_commands_work_from_any_folder(database: Database, tmp_path: Path) -> None:
    """`-c` names the project; the folder it is typed in does not matter."""
    ini = str(ROOT / "alembic.ini")
    result = run_alembic("-c", ini, "current", url=database.url, cwd=tmp_path)
    assert result == Result(0, f"{HEAD} (head)\n", "")


@pytest.mark.slow
def test_ensure_version_makes_its_table(empty_database: Database) -> None:
    """Alembic alone would create nothing here and report success."""
    apply(empty_database, "ensure_version")
    assert apply(empty_database, "upgrade", "0001").code == 0


@pytest.mark.slow
async def test_offline_sql_gives_the_same_schema(
    empty_database: Database, database: Database
) -> None:
    """The SQL of `--sql`, run by psql, does what the upgrade does; and the same down again."""
    up = run_alembic("upgrade", "head", "--sql", url=None)
    assert (up.code, up.err) == (0, "")
    psql(empty_database, up.out)
    assert difference(await snapshot_of(database), await snapshot_of(empty_database)) == []
    down = run_alembic("downgrade", f"{HEAD}:0002", "--sql", url=None)
    assert (down.code, down.err) == (0, "")
    psql(empty_database, down.out)
    assert apply(empty_database, "current").out == "0002\n"
    assert await tables(empty_database) == {
        "alembic_version",
        "alembic_version_ledger",
        "volumes",
        "files",
    }


@pytest.mark.slow
async def test_passwords_never_appear(database: Database) -> None:
    """Neither in offline SQL nor in an error nor in what a failing login says."""
    secret = "s3cr%41t"
    url = f"postgresql://user:{secret}@127.0.0.1:1/db"
    for arguments in (["upgrade", "head", "--sql"], ["current"], ["upgrade", "head"], ["history"]):
        result = run_alembic(*arguments, url=url)
        assert "s3cr" not in result.out + result.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["upgrade", "nope"],
            2,
            "ERROR [revision-unknown]  Can't locate revision identified by 'nope'\n"
            "  help: `alembic history` lists the revisions\n",
        ),
    ],
)
def test_a_wrong_revision_is_one_message(
    database: Database, arguments: list[str], code: int, message: str
) -> None:
    """The argument is quoted, with the command that lists the revisions."""
    assert run_alembic(*arguments, url=database.url) == Result(code, "", message)


def test_an_ambiguous_id_is_named(project: Path, database: Database) -> None:
    """Two ids with the same beginning are both shown."""
    versions = project / "alembic" / "versions"
    for number, (identifier, down) in enumerate([("abcd1", HEAD), ("abcd2", "abcd1")]):
        (versions / f"{identifier}_{number}.py").write_text(
            f'revision = "{identifier}"\ndown_revision = "{down}"\nphase = "expand"\n'
            "def upgrade():\n    pass\ndef downgrade():\n    pass\n"
        )
    lock(project)
    result = run_alembic("upgrade", "abcd", url=database.url, cwd=project)
    assert result.code == 2
    assert result.err.startswith("ERROR [revision-unknown]  ")
    assert "abcd1" in result.err
    assert "abcd2" in result.err


@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        (
            "postgresql://vegafs:pw@127.0.0.1:1/files",
            75,
            "ERROR [database-unreachable]  database 'files' at 127.0.0.1:1 cannot be reached: "
            "Connection refused\n"
            "  help: is the server up, and are host and port in DATABASE_URL right?\n",
        ),
        (
            "postgresql//vegafs:pw@host/files",
            2,
            "ERROR [database-url-invalid]  DATABASE_URL cannot be used: "
            "it is not a URL: it has no `postgresql://` in front\n"
            "  help: write it as DATABASE_URL=postgresql://user:password@host:5432/database\n",
        ),
        (
            "mysql+asyncmy://vegafs:pw@host/files",
            2,
            "ERROR [database-url-invalid]  DATABASE_URL cannot be used: "
            "'mysql+asyncmy' is not PostgreSQL\n"
            "  help: write it as DATABASE_URL=postgresql://user:password@host:5432/database\n",
        ),
    ],
    ids=["unreachable", "malformed", "another database"],
)
def test_a_database_that_cannot_be_used_is_one_message(url: str, code: int, message: str) -> None:
    """The fact, the help, the exit code of its class, no traceback."""
    assert run_alembic("upgrade", "head", url=url) == Result(code, "", message)


def test_no_database_in_production_is_an_error_that_says_what_to_set() -> None:
    """The embedded server is for development; a container names its database."""
    result = run_alembic("upgrade", "head", url=None, env={"VEGAFS_ENVIRONMENT": "production"})
    assert result.code == 2
    assert result.err.startswith("ERROR [database-url-missing]  DATABASE_URL is not set, and ")
    assert "set DATABASE_URL=postgresql://user:password@host:5432/database" in result.err


@pytest.mark.slow
def test_a_database_ahead_by_expand_revisions_is_left_alone(
    database: Database, project: Path
) -> None:
    """A rolled back image meets a newer database that its code can work with: exit code 0."""
    older_build(project)
    result = run_alembic("upgrade", "head", url=database.url, cwd=project)
    assert result == Result(
        0,
        "",
        f"OK  {database.name} is ahead of this build: {HEAD} leaves what {IDS[-2]} needs. "
        "Nothing to do.\n",
    )
    assert apply(database, "current").out == f"{HEAD} (head)\n"


@pytest.mark.slow
def test_a_database_ahead_by_an_unknown_revision_is_refused(
    database: Database, project: Path
) -> None:
    """Both revisions are named, and what to deploy."""
    older_build(project)
    psql(
        database,
        "DROP TABLE alembic_version_ledger; DROP FUNCTION alembic_version_ledger_append_only",
    )
    result = run_alembic("upgrade", "head", url=database.url, cwd=project)
    assert result == Result(
        1,
        "",
        f"ERROR [database-ahead]  database {database.name!r} is at {HEAD}, which this build does "
        f"not know; its newest revision is {IDS[-2]}; ahead of it: {HEAD} (unknown)\n"
        f"  help: deploy the build that has {HEAD}, or downgrade the database with that build; a "
        "development database is taken back by `vegafs db goto`\n",
    )


def older_build(project: Path) -> None:
    """The project without its newest revision."""
    (project / "alembic" / "versions" / CHAIN[-1].file_name).unlink()
    lock(project)


def lock(project: Path) -> None:
    """It does what `vegafs lock` does, without fingerprints."""
    folder = project / "alembic"
    write_lock(folder / "revisions.lock", read_revisions(folder / "versions"))


@pytest.mark.slow
def test_a_failing_revision_says_what_was_applied(database: Database, project: Path) -> None:
    """The failed one leaves nothing, the one before it stays, and the place is named."""
    versions = project / "alembic" / "versions"
    (versions / "0015_good.py").write_text(
        f'from alembic import op\nrevision = "0015"\ndown_revision = "{HEAD}"\nphase = "expand"\n'
        'def upgrade():\n    op.execute("CREATE TABLE good (id int)")\n'
        'def downgrade():\n    op.execute("DROP TABLE good")\n'
    )
    (versions / "0016_bad.py").write_text(
        'from alembic import op\nrevision = "0016"\ndown_revision = "0015"\nphase = "expand"\n'
        'def upgrade():\n    op.execute("CREATE TABLE half (id int)")\n'
        "    op.execute(\"INSERT INTO volumes (name, root) VALUES ('secret', 'no root')\")\n"
        "def downgrade():\n    pass\n"
    )
    lock(project)
    result = run_alembic("upgrade", "head", url=database.url, cwd=project)
    assert result.code == 4
    assert result.err.splitlines()[2:] == [
        "FAILED [run-failed]  0016 failed: alembic/versions/0016_bad.py:7: new row for relation "
        '"volumes" violates check constraint "ck_volumes_root_absolute" (SQLSTATE 23514)',
        "  done: 0015",
        "  kept of 0016: nothing",
        "  help: correct the cause, then `alembic upgrade head` again",
    ]
    assert run_alembic("current", url=database.url, cwd=project).out == "0015\n"


def test_heads_on_disk_are_one() -> None:
    """The chain has one end."""
    assert heads(CHAIN) == {HEAD}
