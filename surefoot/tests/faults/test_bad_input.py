"""Input that cannot work: each has its own message, exit code and help, and nothing is recorded.

test_19 has a ledger that was edited by hand; test_27 a standby, a role without rights and a full
disk.
"""

import re

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher

MIXED = (
    "REFUSED [mixed-revision]  0002 has a step that runs outside a transaction, and other "
    "steps: those before it could not be rolled back\n"
    "  help: give that step a revision of its own\n"
)
COMMITS = (
    "REFUSED [commits-by-itself]  0002 ends its transaction by itself: after a failure nobody "
    "could tell which of its changes are kept\n"
    "  help: leave COMMIT, ROLLBACK and autocommit_block() out; for an index use "
    "op.create_index_concurrently(…)\n"
)


def late(said: str, kept: str) -> str:
    """The same, where a revision was committed before."""
    code, message, help_ = re.fullmatch(r"REFUSED \[(.*)\]  (.*)\n(.*\n)", said).groups()  # type: ignore[union-attr]
    return (
        f"FAILED [refused-part-way]  {message} ({code})\n  done: 0001\n  kept of 0002: {kept}\n"
        f"{help_}"
    )


INDEX = "op.create_index_concurrently('t_id', 't', ['id'])"
HIDDEN = "run = op.execute\nrun('INSERT INTO t VALUES (1)')"
# The body of a revision, what is said, and whether that is known before anything runs.
BODIES = {
    "a step, then others": (f"{INDEX}\nop.execute('SELECT 1')", MIXED, True),
    "others, then a step": (f"op.execute('SELECT 1')\n{INDEX}", MIXED, True),
    "two steps": (f"{INDEX}\nop.drop_index_concurrently('t_id')", MIXED, True),
    "a step in a loop": (f"for _ in range(2):\n    {INDEX}", MIXED, False),
    "others in disguise, then a step": (f"{HIDDEN}\n{INDEX}", MIXED, False),
    "a step, then others in disguise": (f"{INDEX}\n{HIDDEN}", MIXED, False),
    "an autocommit block": (
        "with op.get_context().autocommit_block():\n    op.execute('SELECT 1')",
        COMMITS,
        True,
    ),
    "a commit in SQL": (
        "op.execute('INSERT INTO t VALUES (1)')\nop.execute('commit;')",
        COMMITS,
        False,
    ),
    "a rollback in SQL": ("op.execute('/* no */ ROLLBACK')", COMMITS, False),
    "a commit in Python": (
        "op.execute('INSERT INTO t VALUES (1)')\nop.get_bind().commit()",
        COMMITS,
        False,
    ),
    "a rollback in Python": ("op.get_bind().rollback()\nop.execute('SELECT 1')", COMMITS, False),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize(("body", "said", "at_once"), BODIES.values(), ids=BODIES)
async def test_a_revision_that_is_not_one_unit_is_refused(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    body: str,
    said: str,
    at_once: bool,
) -> None:
    """Mixed, or committing by itself; told before anything runs where the source shows it."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add(body)
    chain.add("op.execute('CREATE TABLE after (id int)')")
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert "Traceback" not in result.err
    assert await watcher.fetchval("SELECT to_regclass('after') IS NULL")
    if at_once:
        assert (result.code, result.err) == (3, said)
        for name in ("t", "alembic_version", "alembic_version_ledger"):
            assert await watcher.fetchval("SELECT to_regclass($1) IS NULL", name)
    else:
        assert result.code == 4, result.err
        step = "what its step has left, which another attempt repairs"
        is_kept = "index_concurrently" in body.partition("\n")[0] or body.startswith("for")
        assert result.err.endswith(late(said, step if is_kept else "nothing")), result.err
        applied = await watcher.fetch(
            "SELECT revision, outcome FROM alembic_version_ledger WHERE outcome <> 'started'"
        )
        assert [tuple(row) for row in applied] == [("0001", "applied"), ("0002", "failed")]
        assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0001"
        assert await watcher.fetchval("SELECT count(*) FROM t") == 0


FILES = {
    "an unknown phase": (
        "phase = 'expand'",
        "phase = 'later'",
        "ERROR [revisions-broken]  0003_change.py: phase is 'later'; it is expand or contract\n"
        "  help: expand: the previous release keeps working; contract: it would not\n",
    ),
    "a cycle": (
        "down_revision = '0002'",
        "down_revision = '0003'",
        "ERROR [revisions-broken]  the revisions 0003 build on each other in a circle\n"
        "  help: correct down_revision in one of them\n",
    ),
    "a missing predecessor": (
        "down_revision = '0002'",
        "down_revision = '0009'",
        "ERROR [revisions-broken]  0003 builds on 0009, which no file has\n"
        "  help: restore its file, or correct down_revision or depends_on\n",
    ),
    "a number given twice": (
        "revision = '0003'",
        "revision = '0002'",
        "ERROR [revisions-broken]  0002_change.py and 0003_change.py both say revision = '0002'\n"
        "  help: `surefoot rebase` gives those of this branch the next numbers\n",
    ),
    "no Python": (
        "def upgrade",
        "deff upgrade",
        "ERROR [revisions-broken]  0003_change.py:11 is not Python: invalid syntax\n"
        "  help: correct the file\n",
    ),
}


@pytest.mark.parametrize(
    "start", ["base", *(pytest.param(i, marks=pytest.mark.slow) for i in ("0001", "0003"))]
)
@pytest.mark.parametrize(("before", "after", "said"), FILES.values(), ids=FILES)
async def test_a_chain_that_is_none_is_refused(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    before: str,
    after: str,
    said: str,
    start: str,
) -> None:
    """The file is named, and nothing is applied, wherever the database is."""
    for number in (1, 2, 3):
        chain.add(f"op.execute('CREATE TABLE t{number} (id int)')")
    if start != "base":
        first = await launcher.alembic(chain, "upgrade", start, url=empty_database.url)
        assert first.code == 0, first.err
    path = chain.path("0003")
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    result = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    if start == "0003" and result.code == 0:
        # Nothing to do is told from revisions.lock, without a revision file being read.
        assert "is at head 0003. Nothing to do." in result.err
        return
    assert (result.code, result.out, result.err) == (2, "", said)
    there = await watcher.fetchval("SELECT count(*) FROM pg_class WHERE relname ~ '^t[0-9]$'")
    assert there == {"base": 0, "0001": 1, "0003": 3}[start]


COMMANDS = {
    "revision --autogenerate": ("revision", "--autogenerate", "-m", "next"),
    "revision": ("revision", "-m", "next"),
    "merge": ("merge", "heads", "-m", "next"),
    "check": ("check",),
    "current": ("current",),
    "history": ("history",),
}


@pytest.mark.sample(4)
@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("case", ["a missing predecessor", "a cycle"])
async def test_a_chain_that_is_none_is_told_by_every_command(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    case: str,
    arguments: tuple[str, ...],
) -> None:
    """Alembic itself ends with a KeyError, or names no file; no file is written."""
    before, after, said = FILES[case]
    for number in (1, 2, 3):
        chain.add(f"op.execute('CREATE TABLE t{number} (id int)')")
    path = chain.path("0003")
    path.write_text(path.read_text().replace(before, after))
    files = {*chain.versions.iterdir()}
    result = await launcher.alembic(chain, *arguments, url=empty_database.url)
    assert (result.code, result.out, result.err) == (2, "", said)
    assert {*chain.versions.iterdir()} - {chain.versions / "__pycache__"} <= files


@pytest.mark.slow
async def test_a_revision_that_fails_names_the_command_that_ran_it(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """`surefoot lock` runs it on a scratch database: an upgrade would not write the lock."""
    chain.add("op.execute('SELECT 1 / 0')")
    done = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert done.code == 4, done.err
    assert done.err.endswith("  help: correct the cause, then `surefoot lock` again\n"), done.err


async def test_a_revision_that_ends_the_process_has_failed(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """SystemExit(0) would tell a deployment that the revision was applied."""
    chain.add("import sys\nsys.exit(0)", lock=False)
    chain.lock()
    done = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 4, done.err
    assert "it ends the process, by SystemExit(0)" in done.err
