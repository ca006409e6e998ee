"""A revision that was not seen to its end is `unknown`, and a finding in every format."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher
from surefoot.chain.lockfile import read_lock
from surefoot.connect.database import Database as Access
from surefoot.errors import ScratchRoomMissing
from surefoot.scratch import databases as scratch

TABLE = ("op.execute('CREATE TABLE t (id int, n int)')", "op.drop_table('t')")
FORMATS = ("github", "gitlab", "sarif")
STOPS = """
op.execute("DO $$ BEGIN IF EXISTS (SELECT FROM t) THEN RAISE EXCEPTION 'not here'; END IF; END $$")
op.create_index("i", "t", ["id"])
"""
WHY = "on the scratch database it was not run to its end, and the rest of it is unseen"


def verdicts(chain: Chain) -> list[str | None]:
    """Those in the lock."""
    return [revision.verdict for revision in read_lock(chain.lock_path)]


async def test_the_lock_says_where_it_lacks_a_fingerprint(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """As after `alembic revision`, whose hook takes none; of the past its end alone needs one."""
    for _ in range(3):
        chain.add("pass")
    chain.lock(baseline=["0002"])
    checked = await launcher.surefoot(chain, "lock", "--check", url=empty_database.url)
    assert (checked.code, checked.err) == (
        0,
        "OK  revisions.lock is up to date: 3 revisions\n"
        "0002, 0003 have no fingerprint, so a run sees no drift there: surefoot lock\n",
    )
    assert (await launcher.surefoot(chain, "lock", url=empty_database.url)).code == 0
    checked = await launcher.surefoot(chain, "lock", "--check", url=empty_database.url)
    assert checked.err == "OK  revisions.lock is up to date: 3 revisions\n"


@pytest.mark.slow
async def test_a_verdict_is_of_what_was_tried(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """A trace that stopped, a line edited by hand, and a suppression that was removed."""
    url = empty_database.url
    chain.add(*TABLE)
    assert (await launcher.surefoot(chain, "lock", url=url)).code == 0
    assert verdicts(chain) == ["clean"]
    stops = chain.add(STOPS, "op.drop_index('i')", lock=False)
    locked = await launcher.surefoot(chain, "lock", url=url)
    assert locked.err.splitlines()[-1] == "0002 was not seen to its end: surefoot lint 0002"
    assert verdicts(chain) == ["clean", "unknown"]
    assert (await launcher.surefoot(chain, "lock", "--check", url=url)).code == 0
    lock = chain.lock_path.read_text("utf-8")
    chain.lock_path.write_text(lock.replace("  unknown/", "  clean/"), "utf-8")
    checked = await launcher.surefoot(chain, "lock", "--check", url=url)
    assert checked.code == 1
    assert "the verdict of 0002 is of other code or rules" in checked.err
    verified = await launcher.surefoot(chain, "verify", url=url)
    assert "no   files     [lock-file-stale] revisions.lock does not match" in verified.out
    path = chain.path(stops)
    source = path.read_text("utf-8").replace("    op.execute", "    pass  #", 1)
    allowed = "# allow require-concurrent-index: t is small\n"
    path.write_text(source + allowed, "utf-8")
    assert (await launcher.surefoot(chain, "lock", url=url)).code == 0
    assert verdicts(chain) == ["clean", "clean"]
    path.write_text(source, "utf-8")
    assert (await launcher.surefoot(chain, "lock", "--check", url=url)).code == 1
    assert (await launcher.surefoot(chain, "lock", url=url)).code == 0
    assert verdicts(chain) == ["clean", "require-concurrent-index"]


PRODUCTION = """
from dataclasses import replace
from harness.environment import database
from surefoot import Environment, Limits

def of_production():
    return replace(database(), limits=Limits(production=True))

Environment(metadata="sample.models:metadata", database=of_production).run()
"""


@pytest.mark.slow
async def test_a_lock_is_written_and_a_schema_adopted_beside_production(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The guards of a database in use do not hold on a scratch database."""
    (chain.folder / "alembic" / "env.py").write_text(PRODUCTION, "utf-8")
    chain.add(*TABLE)
    chain.add("op.create_index('i', 't', ['id'])", "op.drop_index('i')")
    url = empty_database.url
    refused = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert "REFUSED [revision-unseen]  0001 " in refused.err
    locked = await launcher.surefoot(chain, "lock", url=url)
    assert locked.code == 0, locked.err
    assert verdicts(chain) == ["clean", "require-concurrent-index"]
    await watcher.execute("CREATE TABLE t (id int, n int); CREATE INDEX i ON t (id)")
    adopt = ("ops", "adopt", "0002", "--reason", "by hand")
    shown = await launcher.surefoot(chain, *adopt, url=url)
    assert shown.err.startswith("0 differences "), shown.err


@pytest.mark.slow
async def test_a_fingerprint_that_was_edited_proves_no_stamp(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The one of another revision has the seal of its own."""
    url = empty_database.url
    chain.add(*TABLE)
    chain.add("op.execute('CREATE TABLE other (id int)')", "op.drop_table('other')")
    assert (await launcher.surefoot(chain, "lock", url=url)).code == 0
    assert (await launcher.alembic(chain, "upgrade", "0001", url=url)).code == 0
    one, two = (revision.fingerprint for revision in read_lock(chain.lock_path))
    assert one is not None
    assert two is not None
    text = chain.lock_path.read_text("utf-8")
    chain.lock_path.write_text(text.replace(two, one), "utf-8")
    stamped = await launcher.alembic(chain, "stamp", "0002", url=url)
    assert (stamped.code, "no comparable fingerprint" in stamped.err) == (3, True), stamped.err


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--json"], *(["--format", f] for f in FORMATS)])
@pytest.mark.parametrize("command", ["lint", "plan"])
async def test_a_failure_is_a_finding_in_every_format(
    chain: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    command: str,
    options: list[str],
) -> None:
    """With the exit code of the failure, and without the advice to upgrade."""
    chain.add("op.execute('SELECT nonsense')")
    chain.add(*TABLE)
    found = await launcher.surefoot(chain, command, *options, url=empty_database.url)
    assert found.code == 4, found.err
    # SARIF describes the rule as well; the text of lint has one line for all behind the first one.
    is_told_once = command == "lint" and not options
    assert found.out.count("require-complete-trace") >= (1 if is_told_once else 2)
    assert found.out.count(WHY) == (3 if "sarif" in options else 1 if is_told_once else 2)
    assert ("behind 0001 nothing was tried: 0002" in found.err) == (command == "lint")
    assert "FAILED [run-failed]  on the scratch database: 0001 failed" in found.err
    assert "upgrade head" not in found.out + found.err
    if options:
        assert options == ["--format", "github"] or json.loads(found.out)


async def test_a_scratch_server_that_is_not_there_is_a_finding(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Of every revision that it should have tried."""
    chain.add(*TABLE)
    url = "postgresql://nobody@127.0.0.1:1/nowhere"
    found = await launcher.surefoot(chain, "lint", "--json", url=url)
    assert found.code == 75, found.err
    (finding,) = json.loads(found.out)["findings"]
    assert finding["consequence"].startswith(f"{WHY}: database 'nowhere' at 127.0.0.1:1 cannot be")
    assert "help: is the server up" in found.err


async def test_no_revision_is_nothing_to_be_green_about(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """A folder without one, as after a wrong setting, and a commit that git does not know."""
    found = await launcher.surefoot(chain, "lint", url=empty_database.url)
    assert (found.code, "there is no revision in alembic/versions" in found.err) == (2, True)
    chain.add(*TABLE)
    found = await launcher.surefoot(chain, "lint", "--since", "HEAD", url=empty_database.url)
    assert (found.code, "fatal: not a git repository" in found.err) == (2, True)


async def test_a_scratch_server_without_room_is_not_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sentence names the places and what they have."""
    monkeypatch.setattr(scratch, "ROOM_BYTES", 2**60)
    with pytest.raises(ScratchRoomMissing, match=r"a scratch server needs \d+ TB, and there are"):
        async with scratch.scratch(Access("postgresql://nobody@localhost/nowhere")):
            raise AssertionError
    monkeypatch.setattr(scratch, "ROOM_BYTES", 0)
    assert isinstance(scratch._place(), Path)
