"""`--json` of a long command is an object a line, the last of which is the report or the error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher, Result


def told(result: Result) -> Sequence[dict[str, Any]]:
    """The objects, each with what all have."""
    found = [json.loads(line) for line in result.out.splitlines()]
    for each in found:
        assert each["schema_version"] == 1, each
        moment = datetime.fromisoformat(each["at"])
        assert moment.utcoffset() is not None, each
    return found


@pytest.mark.slow
async def test_a_run_is_told_event_by_event(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """With numbers as numbers; then the report."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    chain.add("op.create_index_concurrently('t_id', 't', ['id'])")
    url = empty_database.url
    events = told(await launcher.surefoot(chain, "upgrade", "--json", url=url))
    names = [each["event"] for each in events]
    assert names[0] == "started"
    assert names.count("revision_started") == names.count("revision_done") == 2
    assert names[-1] == "report"
    done = next(each for each in events if each["event"] == "revision_done")
    assert (done["revision"]["revision"], done["number"], done["total"]) == ("0001", 1, 2)
    assert isinstance(done["revision"]["duration_s"], float)
    report = events[-1]
    assert (report["before"], report["after"]) == ([], ["0002"])
    assert [each["revision"] for each in report["steps"]] == ["0001", "0002"]
    again = told(await launcher.surefoot(chain, "upgrade", "--json", url=url))
    assert [(each["event"], each["steps"]) for each in again] == [("report", [])]
    back = told(await launcher.surefoot(chain, "downgrade", "0001", "--json", url=url))
    assert (back[-1]["event"], back[-1]["after"]) == ("report", ["0001"])


@pytest.mark.slow
async def test_who_blocks_is_an_event(
    blocked_chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    blocker: asyncpg.Connection,
) -> None:
    """With the process as a number, and null where there is no further attempt."""
    url = empty_database.url
    env = {"SUREFOOT_TEST_LOCK_BUDGET_S": "0", "SUREFOOT_TEST_SCRATCH_URL": url}
    result = await launcher.alembic(
        blocked_chain, "upgrade", "--json", url=url, env=env, program="surefoot"
    )
    *_, blocked, error = told(result)
    assert (blocked["event"], blocked["unit"], blocked["attempt"]) == ("blocked", "0002", 1)
    assert blocked["blockers"][0]["pid"] == blocker.get_server_pid()
    assert blocked["retry_in_s"] is None
    assert blocked["is_outside_transaction"] is False
    assert (error["event"], error["code"]) == ("error", "lock-blocked")
    assert error["exit_code"] == result.code == 75


async def test_an_error_is_the_last_line(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Of Alembic, of the command line and of a revision, with a password masked."""
    chain.add("""raise RuntimeError("no postgresql://u:geheim77@db/x, password='a b'")""")
    url = empty_database.url
    for arguments, code, exit_code in (
        (("upgrade", "nope"), "revision-unknown", 2),
        (("upgrade", "--execute"), "reason-missing", 2),
        (("upgrade",), "run-failed", 4),
    ):
        result = await launcher.surefoot(chain, *arguments, "--json", url=url)
        error = told(result)[-1]
        assert (error["event"], error["code"], error["exit_code"], result.code) == (
            "error", code, exit_code, exit_code,
        )  # fmt: skip
        assert f"[{code}]" in result.err
        assert "geheim77" not in result.out
        assert "a b" not in result.out


@pytest.mark.slow
async def test_prints_of_a_revision_are_no_part_of_an_answer(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """They go to stderr, whatever format the answer has, and so do those of env.py."""
    chain.add("print('of the revision'); op.execute('CREATE TABLE t (id int)')")
    env = chain.folder / "alembic" / "env.py"
    env.write_text(f"print('of env.py')\n{env.read_text('utf-8')}", "utf-8")
    url = empty_database.url
    run = await launcher.surefoot(chain, "upgrade", "--json", url=url)
    assert told(run)[-1]["event"] == "report"
    linted = await launcher.surefoot(chain, "lint", "--format", "sarif", url=url)
    assert json.loads(linted.out)["version"] == "2.1.0"
    drawn = await launcher.surefoot(chain, "schema", "--format", "svg", url=url)
    assert drawn.out.startswith("<svg")
    for each in (run, linted, drawn):
        assert "of env.py\n" in each.err
        assert "of the revision\n" in each.err
    asked = await launcher.surefoot(chain, "db", "url", url=url)
    assert asked.out.splitlines() == [asked.out.strip()]
    assert "of env.py\n" in asked.err
