"""A run tells on a terminal what it does just now, and nothing of that stays there."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from harness.server import LIBRARY
from harness.terminal import PROGRAMS, cells_of, on_a_terminal

pytestmark = pytest.mark.slow
# Runs until the test lets it go on; it waits for no lock.
UNTIL_FREE = (
    "DO $$ BEGIN WHILE NOT pg_try_advisory_xact_lock(47) LOOP PERFORM pg_sleep(0.02); END LOOP; "
    "END $$"
)
HOLD, LET_GO = "SELECT pg_advisory_lock(47)", "SELECT pg_advisory_unlock(47)"
WIDE = "索引を優先度で作り直すための最初の版であり、題名はとても長いので端末の幅には収まらない"


def held(chain: Chain, *, title: str | None = None) -> None:
    """A chain of two revisions, the second of which runs until the test lets it go on."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add(f"op.execute('{UNTIL_FREE}')", lock=title is None)
    if title is not None:
        path = chain.path("0002")
        path.write_text(path.read_text("utf-8").replace("Change 0002", title), "utf-8")
        chain.lock()


def width(line: str) -> int:
    return sum(map(cells_of, line))


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("command", ["alembic", "surefoot"])
async def test_the_revision_and_its_statement_are_named_while_they_run(
    chain: Chain, empty_database: Database, blocker: asyncpg.Connection, columns: int, command: str
) -> None:
    """With the time so far, in lines that fit; in the end only what is done stays."""
    held(chain, title=WIDE)
    await blocker.execute(HOLD)
    async with on_a_terminal(
        command, "upgrade", "head", cwd=chain.folder, url=empty_database.url, columns=columns
    ) as terminal:
        await terminal.shows("    DO ?")
        running = terminal.now.splitlines()
        await blocker.execute(LET_GO)
        assert await terminal.end() == 0, terminal.said
    above = running.index("")
    assert running[0].startswith("APPLY  "), running
    # The first revision has committed with it, or stays above.
    revision, statement, *rest = running[above + 1 :]
    assert re.fullmatch(r"  2 of 2  0002  索引を優先度で\S+…  \d+ s", revision), running
    assert (statement, rest) == ("    DO ?", []), running
    assert max(map(width, running)) < columns
    done = terminal.screen.lines
    assert len(done) == 4, done
    assert re.fullmatch(r"  1 of 2  0001  Change 0001  (?:< )?[\d.]+ s", done[1]), done
    assert re.fullmatch(r"  2 of 2  0002  索引を優先度で\S+…  (?:< )?[\d.]+ s", done[2]), done
    assert done[3].startswith("OK  2 applied in "), done
    assert terminal.screen.wrapped == []


async def test_an_index_build_shows_its_phase_and_its_share(
    chain: Chain, empty_database: Database, blocker: asyncpg.Connection
) -> None:
    """As PostgreSQL reports them; here the build stands still after half of the rows."""
    chain.add(
        """
        op.execute("CREATE TABLE t AS SELECT n, repeat('x', 1500) AS x "
                   "FROM generate_series(1, 400) AS n")
        op.execute('''
            CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
            BEGIN
                WHILE n = 200 AND NOT pg_try_advisory_xact_lock_shared(47) LOOP
                    PERFORM pg_sleep(0.02);
                END LOOP;
                RETURN n;
            END $$''')
        """
    )
    chain.add("op.create_index_concurrently('t_slow', 't', [sa.text('slow(n)')])")
    await blocker.execute(HOLD)
    async with on_a_terminal(
        "alembic", "upgrade", "head", cwd=chain.folder, url=empty_database.url
    ) as terminal:
        await terminal.shows(" %: building index: scanning table")
        running = terminal.now
        await blocker.execute(LET_GO)
        assert await terminal.end() == 0, terminal.said
    assert re.search(r"\n  2 of 2  0002  Change 0002  \d+ s\n", running), running
    assert re.search(r"\n    CREATE INDEX CONCURRENTLY \"?t_slow\"? ON ", running), running
    share = int(re.findall(r"\n    (\d+) %: building index: scanning table", running)[0])
    assert 25 <= share <= 75, running
    assert "building index" not in terminal.now


async def test_who_blocks_and_the_next_attempt_are_shown(
    blocked_chain: Chain, empty_database: Database, blocker: asyncpg.Connection
) -> None:
    """Until the transaction in the way has ended."""
    url = empty_database.url
    env = {f"SUREFOOT_TEST_RETRY_{name}_S": "600" for name in ("FIRST", "LONGEST")}
    async with on_a_terminal(
        "alembic", "upgrade", "head", cwd=blocked_chain.folder, url=url, columns=60, env=env
    ) as terminal:
        await terminal.shows("    attempt 2 in at most ")
        running = terminal.now.splitlines()
        await blocker.execute("ROLLBACK")
        assert terminal.process is not None
        terminal.process.terminate()
        await terminal.end()
    by = f"      pid {blocker.get_server_pid()} blocker, idle in transaction"
    assert any(line.startswith(by) and line.endswith("…") for line in running), running
    told = re.compile(r"    attempt 2 in at most (9 min( \d+ s)?|10 min), or once these end:")
    assert any(told.fullmatch(line) for line in running), running
    assert "BLOCKED [lock-blocked]  0002 did not get its lock in time" in terminal.said


async def test_a_terminal_is_resized_while_it_draws(
    chain: Chain, empty_database: Database, blocker: asyncpg.Connection
) -> None:
    """Each drawing fits the size of then, and no line that stays is lost."""
    held(chain, title=WIDE)
    await blocker.execute(HOLD)
    async with on_a_terminal(
        "alembic", "upgrade", "head", cwd=chain.folder, url=empty_database.url
    ) as terminal:
        await terminal.shows("    DO ?")
        terminal.resize(1)
        await asyncio.sleep(1)
        for columns in (40, 100, 60, 7, 80):
            before = len(terminal.states)
            terminal.resize(columns)
            await terminal.until(lambda at=before: len(terminal.states) > at + 1)  # type: ignore[misc]
            drawn = terminal.now.partition("\n\n")[2].splitlines()
            assert 0 < max(map(width, drawn)) < columns, (columns, drawn)
        await blocker.execute(LET_GO)
        assert await terminal.end() == 0, terminal.said
    told = [line.split("  ")[0] for line in terminal.screen.lines if not line.startswith(" ")]
    assert told == ["APPLY", "OK"], terminal.now
    assert terminal.screen.wrapped == []


async def test_text_of_others_stays(
    chain: Chain, empty_database: Database, blocker: asyncpg.Connection
) -> None:
    """A revision prints, also a part of a line, and so does a program that it calls."""
    chain.add(
        f"""
        import os, sys
        op.execute("{UNTIL_FREE}")
        os.write(2, b"without Python\\n")
        print("of the", file=sys.stderr)
        print("revision", file=sys.stderr, end=" ", flush=True)
        op.execute("{UNTIL_FREE.replace("47", "48")}")
        """
    )
    await blocker.execute(HOLD)
    await blocker.execute(HOLD.replace("47", "48"))
    async with on_a_terminal(
        "alembic", "upgrade", "head", cwd=chain.folder, url=empty_database.url
    ) as terminal:
        await terminal.shows("    DO ?")
        await blocker.execute(LET_GO)
        await terminal.shows("revision")
        await blocker.execute(LET_GO.replace("47", "48"))
        assert await terminal.end() == 0, terminal.said
    told = ["without Python", "of the", "revision"]
    assert terminal.screen.lines[1:4] == told, terminal.now


async def test_a_log_of_the_project_stays_whole(
    chain: Chain, empty_database: Database, blocker: asyncpg.Connection
) -> None:
    """It was set up before the run, as the env.py of `alembic init` does."""
    chain.add(
        f"""
        import logging
        op.execute("{UNTIL_FREE}")
        for number in range(3):
            logging.getLogger("alembic").info("line %d", number)
        """
    )
    env = chain.folder / "alembic" / "env.py"
    log = "import logging\n\nlogging.basicConfig(level=logging.INFO)\n"
    env.write_text(log + env.read_text("utf-8"), "utf-8")
    await blocker.execute(HOLD)
    async with on_a_terminal(
        "alembic", "upgrade", "head", cwd=chain.folder, url=empty_database.url
    ) as terminal:
        await terminal.shows("    DO ?")
        await blocker.execute(LET_GO)
        assert await terminal.end() == 0, terminal.said
    lines = terminal.screen.lines
    first = lines.index("INFO:alembic:line 0")
    assert lines[first : first + 3] == [f"INFO:alembic:line {n}" for n in range(3)], terminal.now
    assert all(line.startswith(("INFO:", "APPLY", "  1 of 1", "OK")) for line in lines), lines


@pytest.mark.parametrize("env", [{"TERM": "dumb"}, {"ACCESSIBLE": "1"}, {"TERM": ""}])
async def test_a_terminal_that_cannot_draw_gets_plain_lines(
    chain: Chain, empty_database: Database, blocker: asyncpg.Connection, env: dict[str, str]
) -> None:
    """As does a screen reader: no control sequence, and nothing is written twice."""
    held(chain)
    await blocker.execute(HOLD)
    async with on_a_terminal(
        "alembic", "upgrade", "head", cwd=chain.folder, url=empty_database.url, env=env
    ) as terminal:
        await terminal.shows("APPLY")
        await until_it_runs(blocker)
        await asyncio.sleep(1)
        await blocker.execute(LET_GO)
        assert await terminal.end() == 0, terminal.said
    told = re.sub(r"(?:< )?[\d.]+ s", "N s", terminal.said.replace("\r\n", "\n"))
    assert told == (
        f"APPLY  {empty_database.name}: 2 revisions, base to 0002\n"
        "  1 of 2  0001  Change 0001  N s\n"
        "  2 of 2  0002  Change 0002  N s\n"
        "OK  2 applied in N s. Undo: alembic downgrade base\n"
    )


async def until_it_runs(connection: asyncpg.Connection) -> None:
    """Wait until the statement runs that the test holds."""
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO%'"
    while not await connection.fetchval(running):
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("program", ["alembic", "surefoot"])
@pytest.mark.parametrize(("env", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
async def test_colour_is_for_the_state_word_of_an_error(
    chain: Chain, empty_database: Database, program: str, env: dict[str, str], *, is_coloured: bool
) -> None:
    """And NO_COLOR does without it."""
    chain.add("op.execute('SELECT nonsense')")
    async with on_a_terminal(
        program, "upgrade", "head", cwd=chain.folder, url=empty_database.url, env=env
    ) as terminal:
        assert await terminal.end() == 4, terminal.said
    assert ("\x1b[31m\x1b[1mFAILED\x1b[0m" in terminal.said) is is_coloured, terminal.said
    assert terminal.said.count("\x1b[") == (3 if is_coloured else 0), terminal.said


def upgraded(
    chain: Chain, url: str, shell: str, program: str = "alembic"
) -> subprocess.CompletedProcess[str]:
    """`alembic upgrade head` with the redirections of a shell."""
    return subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" upgrade head {shell}', sys.executable, PROGRAMS[program]],
        cwd=chain.folder,
        env={
            **os.environ,
            "DATABASE_URL": url,
            "PYTHONPATH": os.pathsep.join(map(str, (LIBRARY / "src", LIBRARY / "tests"))),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("shell", ["2>&-", "2>/dev/full", ">&- 2>&-", "<&- >&- 2>&-"])
async def test_a_run_needs_no_stderr(
    chain: Chain, launcher: Launcher, empty_database: Database, shell: str
) -> None:
    """Where it is closed, or its disk is full, the revisions are applied."""
    for number in range(3):
        chain.add(f"op.execute('CREATE TABLE t{number} (id int)')")
    done = await asyncio.to_thread(upgraded, chain, empty_database.url, shell)
    assert (done.returncode, done.stdout) == (0, ""), done
    current = await launcher.alembic(chain, "current", url=empty_database.url)
    assert current.out == "0003 (head)\n"


@pytest.mark.parametrize(
    ("program", "shell", "revision"), [("alembic", "--sql", ""), ("surefoot", "--json", "0002")]
)
async def test_an_answer_on_a_full_disk_is_an_error(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    program: str,
    shell: str,
    revision: str,
) -> None:
    """It must not be cut without a word, and a run goes on to its end."""
    for number in range(2):
        chain.add(f"op.execute('CREATE TABLE t{number} (id int)')")
    url = empty_database.url
    done = await asyncio.to_thread(upgraded, chain, url, f"{shell} >/dev/full", program)
    assert done.returncode == 4, done
    assert (
        "FAILED [answer-lost]  the answer on stdout was not written whole: No space" in done.stderr
    )
    assert "the command itself ended with exit code 0" in done.stderr
    current = await launcher.alembic(chain, "current", url=url)
    assert current.out.split() == ([revision, "(head)"] if revision else [])


async def test_the_time_that_a_plan_expects_is_told(
    chain: Chain, launcher: Launcher, empty_database: Database, tmp_path: Path
) -> None:
    """It is in the cache of the user, for the revisions as they were planned."""
    url, cache = empty_database.url, {"XDG_CACHE_HOME": str(tmp_path)}
    chain.add("op.execute('SELECT pg_sleep(3)')")
    env = {**cache, "SUREFOOT_TEST_SCRATCH_URL": url}
    await launcher.alembic(chain, "plan", url=url, env=env, program="surefoot")
    async with on_a_terminal(
        "alembic", "upgrade", "head", cwd=chain.folder, url=url, env=cache
    ) as terminal:
        assert await terminal.end() == 0, terminal.said
    assert re.search(r"\n    ~\d s left in all", terminal.said), terminal.said


async def test_a_terminal_that_takes_nothing_does_not_hold_up_a_run(
    chain: Chain, empty_database: Database
) -> None:
    """The revisions are applied, and their lines come once it takes them."""
    for number in range(3):
        chain.add(f"op.execute('CREATE TABLE t{number} (id int)')")
    connection = await asyncpg.connect(empty_database.url)
    async with on_a_terminal(
        "alembic", "upgrade", "head", cwd=chain.folder, url=empty_database.url
    ) as terminal:
        terminal.stop()
        while await connection.fetchval("SELECT to_regclass('t2')") is None:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert terminal.process is not None
        assert terminal.process.returncode is None
        assert terminal.said == ""
        terminal.go_on()
        assert await terminal.end() == 0, terminal.said
    await connection.close()
    assert terminal.screen.lines[-1].startswith("OK  3 applied in "), terminal.now


async def test_a_terminal_that_goes_away_does_not_end_a_run(
    chain: Chain, launcher: Launcher, empty_database: Database, blocker: asyncpg.Connection
) -> None:
    """As a window that is closed over a run that has another session."""
    held(chain)
    await blocker.execute(HOLD)
    async with on_a_terminal(
        "alembic", "upgrade", "head", cwd=chain.folder, url=empty_database.url
    ) as terminal:
        await terminal.shows("    DO ?")
        terminal.close()
        await asyncio.sleep(1.5)
        await blocker.execute(LET_GO)
        assert await terminal.end() == 0
    current = await launcher.alembic(chain, "current", url=empty_database.url)
    assert current.out == "0002 (head)\n"
