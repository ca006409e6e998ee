"""`surefoot backfill` as a person and a script meet it."""

from __future__ import annotations

import asyncio
import json
import re
import signal

import pytest

from harness.backfills import Filling
from harness.runs import Launcher
from harness.server import LIBRARY
from harness.terminal import on_a_terminal

SLOW = """
after = "0001"
table = "files"
todo = "wide IS NULL"
writes = ("wide",)
batch_rows = (1, 20)

async def fill(self, rows):
    await asyncio.sleep(0.05)
    return [{"wide": 1} for _ in rows]
"""


@pytest.mark.slow
async def test_from_the_plan_to_its_end(filling: Filling, launcher: Launcher) -> None:
    """Plan and dry run change nothing; the run does, and says so."""
    filling.widen()
    url, chain = filling.database.url, filling.chain
    planned = await launcher.surefoot(chain, "backfill", "plan", "wide", url=url)
    assert planned.code == 0, planned.err
    assert "PLAN  wide: 1,000 rows of files to do, 1 batch of 1,000" in planned.out
    tried = await launcher.surefoot(chain, "backfill", "run", "wide", url=url)
    assert "changed 1,000 rows in" in tried.out, tried.err
    assert await filling.left() == 1000
    done = await launcher.surefoot(chain, "backfill", "run", "wide", "--execute", url=url)
    assert (done.code, await filling.left()) == (0, 0), done.err
    assert "OK  wide is complete; this run changed 1,000 rows" in done.err
    listed = await launcher.surefoot(chain, "backfill", "list", url=url)
    assert listed.out.splitlines()[1].split() == ["wide", "files", "0001", "1,000", "complete"]


@pytest.mark.slow
async def test_events_as_json(filling: Filling, launcher: Launcher) -> None:
    """One object a line, the last one about the end."""
    filling.widen()
    arguments = ("backfill", "run", "wide", "--execute", "--json")
    done = await launcher.surefoot(filling.chain, *arguments, url=filling.database.url)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert {line["schema_version"] for line in lines} == {1}
    assert (lines[-1]["event"], lines[-1]["complete"], lines[-1]["changed"]) == ("done", True, 1000)
    assert {"walked", "lap_done"} <= {line["event"] for line in lines}


@pytest.mark.slow
async def test_on_a_terminal_it_is_drawn(filling: Filling) -> None:
    """How far it is, in lines that fit; in the end only what is done stays."""
    filling.write("wide", SLOW)
    async with on_a_terminal(
        "surefoot", "backfill", "run", "wide", "--execute",
        cwd=filling.chain.folder, url=filling.database.url, columns=40,
    ) as terminal:  # fmt: skip
        await terminal.shows("lap 1, ")
        running = terminal.now.splitlines()
        assert await terminal.end() == 0, terminal.said
    assert re.match(r"  wide: lap 1, \d+ % walked", running[-2]), running
    assert re.match(r"    [\d,]+ rows? changed", running[-1]), running
    assert max(map(len, running)) < 40
    done = terminal.screen.lines
    assert done[0] == "  wide: lap 1 done, 1,000 rows changed", done
    assert done[-2:] == ["OK  wide is complete; this run changed 1", ",000 rows"], done
    assert "walked" not in terminal.now


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_and_a_second_run(
    filling: Filling, launcher: Launcher, number: signal.Signals
) -> None:
    """The batch at hand ends, the exit code is that of the signal, and the rest is done later."""
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("nohup leaves SIGHUP ignored")
    filling.write("wide", SLOW)
    arguments = ("backfill", "run", "wide", "--execute")
    url = filling.database.url
    run = await launcher.start(filling.chain, *arguments, url=url, program="surefoot")
    while await filling.left() == 1000:
        await asyncio.sleep(0.02)
    run.signal(number)
    ended = await run.end()
    left = await filling.left()
    assert (ended.code, 0 < left < 1000) == (128 + number, True), ended.err
    assert f"interrupted; done: {1000 - left} rows of wide" in ended.err
    assert "a second signal breaks them off" in ended.err
    shown = await launcher.surefoot(filling.chain, "backfill", "status", "wide", url=url)
    assert shown.out.startswith("INTERRUPTED  wide on files"), shown.out
    done = await launcher.surefoot(filling.chain, *arguments, "--workers", "3", url=url)
    assert (done.code, await filling.left()) == (0, 0), done.err
    assert f"this run changed {left} rows" in done.err


@pytest.mark.slow
async def test_paused_and_resumed_from_another_terminal(
    filling: Filling, launcher: Launcher
) -> None:
    """No batch begins while it is paused; a run that begins then is refused."""
    filling.write("wide", SLOW)
    arguments = ("backfill", "run", "wide", "--execute")
    chain, url = filling.chain, filling.database.url
    run = await launcher.start(chain, *arguments, url=url, program="surefoot")
    while await filling.left() == 1000:
        await asyncio.sleep(0.02)
    paused = await launcher.surefoot(chain, "backfill", "pause", "wide", url=url)
    assert paused.code == 0, paused.err
    await run.says("has paused it")
    await asyncio.sleep(0.2)
    left = await filling.left()
    refused = await launcher.surefoot(chain, *arguments, url=url)
    assert (refused.code, "wide is paused by" in refused.err) == (3, True), refused.err
    assert await filling.left() == left
    resumed = await launcher.surefoot(chain, "backfill", "resume", "wide", url=url)
    assert "sessions at work: 1" in resumed.err, resumed.err
    ended = await run.end()
    assert (ended.code, await filling.left()) == (0, 0), ended.err


@pytest.mark.slow
async def test_cancelled_while_it_runs(filling: Filling, launcher: Launcher) -> None:
    """Its sessions end, and what they changed stays."""
    filling.write("wide", SLOW)
    chain, url = filling.chain, filling.database.url
    run = await launcher.start(
        chain, "backfill", "run", "wide", "--execute", url=url, program="surefoot"
    )
    while await filling.left() == 1000:
        await asyncio.sleep(0.02)
    shown = await launcher.surefoot(chain, "backfill", "cancel", "wide", url=url)
    assert shown.out.splitlines()[-2:] == [
        "Nothing is forgotten yet.",
        "Next: surefoot backfill cancel wide --execute",
    ]
    done = await launcher.surefoot(chain, "backfill", "cancel", "wide", "--execute", url=url)
    assert done.code == 0, done.err
    ended = await run.end()
    assert "STOPPED  wide was cancelled" in ended.err, ended.err
    assert 0 < await filling.left() < 1000


@pytest.mark.slow
async def test_a_backfill_before_its_revision(filling: Filling, launcher: Launcher) -> None:
    """The next command is the upgrade, until another backfill can run."""
    filling.chain.add("op.execute('SELECT 1')")
    filling.widen(after="0002")
    chain, url = filling.chain, filling.database.url
    for line in (("list",), ("status", "wide")):
        shown = await launcher.surefoot(chain, "backfill", *line, url=url)
        assert "too early" in shown.out.lower(), shown.out
        assert "Next: alembic upgrade 0002\n" in shown.out + shown.err
    filling.widen(after="0009")
    shown = await launcher.surefoot(chain, "backfill", "list", url=url)
    assert "Next: surefoot backfill run wide\n" in shown.err, "which says that there is no 0009"
    filling.widen(after="0002")
    await launcher.alembic(chain, "upgrade", "0002", url=url)
    shown = await launcher.surefoot(chain, "backfill", "list", url=url)
    assert "not begun" in shown.out, shown.out
    assert "Next: surefoot backfill run wide\n" in shown.err


@pytest.mark.slow
async def test_failed_rows_and_another_try(filling: Filling, launcher: Launcher) -> None:
    """They are shown with their errors, and tried again once the cause is gone."""
    await filling.connection.execute(
        "ALTER TABLE files ADD CONSTRAINT small CHECK (wide < 999); ANALYZE files"
    )
    filling.widen()
    chain, url = filling.chain, filling.database.url
    failed = await launcher.surefoot(chain, "backfill", "run", "wide", "--execute", url=url)
    assert (failed.code, "backfill-rows-failed" in failed.err) == (4, True), failed.err
    shown = await launcher.surefoot(chain, "backfill", "retry-failed", "wide", url=url)
    assert "    999: new row for relation" in shown.out, shown.out
    assert "(23514)" in shown.out
    await filling.connection.execute("ALTER TABLE files DROP CONSTRAINT small")
    again = await launcher.surefoot(chain, "backfill", "retry-failed", "wide", "--execute", url=url)
    assert (again.code, await filling.left()) == (0, 0), again.err


@pytest.mark.slow
async def test_only_a_backfill_that_has_begun_is_tried_again(
    filling: Filling, launcher: Launcher
) -> None:
    """Before that no row has failed, and `run` would change all of them."""
    filling.widen()
    chain, url = filling.chain, filling.database.url
    tried = await launcher.surefoot(chain, "backfill", "retry-failed", "wide", "--execute", url=url)
    assert (tried.code, await filling.left()) == (2, 1000), tried.err
    assert "ERROR [not-found]  wide has not begun on this database" in tried.err
    assert (
        await filling.connection.fetchval("SELECT to_regclass('alembic_version_backfills')") is None
    )


@pytest.mark.slow
async def test_a_project_that_leaves(filling: Filling, launcher: Launcher) -> None:
    """The statements of docs/adopting.md leave the version table of Alembic, and nothing else."""
    filling.widen()
    chain, url = filling.chain, filling.database.url
    ran = await launcher.surefoot(chain, "backfill", "run", "wide", "--execute", url=url)
    assert ran.code == 0, ran.err
    leaving = (LIBRARY / "docs/adopting.md").read_text("utf-8").partition("## Leaving again")[2]
    (statements,) = re.findall(r"```sql\n(.*?)```", leaving, re.DOTALL)
    await filling.connection.execute(statements)
    left = await filling.connection.fetch(
        "SELECT relname::text FROM pg_class WHERE relname ~ '^alembic_version' AND relkind = 'r'"
        " UNION ALL SELECT proname::text FROM pg_proc WHERE proname ~ '^alembic_version'"
    )
    assert [name for (name,) in left] == ["alembic_version"]


@pytest.mark.slow
async def test_a_refused_run_changes_nothing(filling: Filling, launcher: Launcher) -> None:
    """Neither parameters of a paused backfill nor the schema of a database without one."""
    filling.widen()
    chain, url = filling.chain, filling.database.url
    arguments = ("backfill", "run", "wide", "--execute", "--max-rows-per-second", "7")
    tables = "SELECT count(*) FROM pg_class WHERE relname ~ '_backfill'"
    filling.widen(after="0002", lock=False)
    chain.add("pass")
    early = await launcher.surefoot(chain, *arguments, url=url)
    assert (early.code, await filling.connection.fetchval(tables)) == (3, 0), early.err
    filling.widen()
    await filling.run(until=lambda _: True)
    state = "SELECT parameters::text FROM alembic_version_backfills"
    await filling.connection.execute(
        "UPDATE alembic_version_backfills SET state = 'paused', reason = 'ann', finished_at = NULL"
    )
    paused = await launcher.surefoot(chain, *arguments, url=url)
    assert (paused.code, await filling.connection.fetchval(state)) == (3, "{}"), paused.err


@pytest.mark.slow
async def test_two_that_write_the_same_column(filling: Filling, launcher: Launcher) -> None:
    """Also where each spells the table in its own way."""
    filling.widen()
    await filling.run(until=lambda _: True)
    await filling.connection.execute(
        "UPDATE alembic_version_backfills SET state = 'running', finished_at = NULL"
    )
    filling.write(
        "other", 'after = "0001"\ntable = "public.files"\ntodo = "wide = 0"\nsets = {"wide": "1"}'
    )
    run = ("backfill", "run", "other", "--execute")
    refused = await launcher.surefoot(filling.chain, *run, url=filling.database.url)
    assert (refused.code, "other writes wide, and so does wide" in refused.err) == (3, True)


async def test_wrong_input(filling: Filling, launcher: Launcher) -> None:
    """A misspelt name, one that never began, a key that is none."""
    filling.widen()
    chain, url = filling.chain, filling.database.url
    near = await launcher.surefoot(chain, "backfill", "plan", "wied", url=url)
    assert (near.code, "did you mean 'wide'?" in near.err) == (2, True), near.err
    early = await launcher.surefoot(chain, "backfill", "pause", "wide", url=url)
    assert (early.code, "wide has not begun" in early.err) == (2, True), early.err
    for option in ("--batch-seconds", "--max-rows-per-second"):
        for value in ("nan", "inf"):
            wrong = await launcher.surefoot(
                chain, "backfill", "run", "wide", "--execute", option, value, url=url
            )
            assert (wrong.code, f"Invalid value for '{option}'" in wrong.err) == (2, True), wrong
    filling.widen(key=("size",))
    key = await launcher.surefoot(chain, "backfill", "run", "wide", "--execute", url=url)
    assert (key.code, "no valid unique index" in key.err) == (2, True), key.err
