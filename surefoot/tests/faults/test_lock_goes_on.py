"""`surefoot lock` looks at what it does not know, and keeps what it has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import text

from harness.databases import Database, engine
from harness.runs import Chain, Launcher
from surefoot.chain.lockfile import read_lock, write_lock
from surefoot.chain.revisions import Revision, heads, read_revisions, with_past
from surefoot.cli import output
from surefoot.connect.database import Database as Access
from surefoot.linting import lint
from surefoot.project import Project
from surefoot.run import narration
from surefoot.run.events import RevisionDone
from surefoot.run.report import AppliedRevision
from surefoot.scratch import scratch_database
from surefoot.target import Target
from surefoot.trace.fingerprints import fingerprinted, lacking

# Ends the process that runs it with that signal, the first time.
ENDS = """
import os, pathlib, signal
if not pathlib.Path({mark!r}).exists():
    pathlib.Path({mark!r}).touch()
    os.kill(os.getpid(), signal.{signal})
"""


def line(*downs: str) -> list[Revision]:
    """Revisions a, b, c, …, each built on the letters of its place."""
    return [
        Revision(chr(97 + n), tuple(down), "expand", "x", str(n)) for n, down in enumerate(downs)
    ]


@pytest.mark.parametrize(
    ("chain", "alone"),
    [
        (line(), ""),
        (line("", "a", "b"), "abc"),
        (line("", "a", "a"), "ac"),
        (line("", "a", "a", "bc", "d"), "ade"),
        (line("", "a", "a", "c", "bd"), "ae"),
        (line("", "", "ab"), "c"),
        (line("", "a", "b", "a", "cd", "e"), "aef"),
    ],
)
def test_a_database_can_be_at_a_revision_alone(chain: Sequence[Revision], alone: str) -> None:
    """Where no branch is beside it; and at the last one, with all."""
    assert "".join(sorted(lacking(chain))) == alone
    assert not lacking([replace(each, fingerprint="known") for each in chain])
    past = with_past(chain, heads(chain))
    assert lacking(past) == lacking(chain) & heads(chain)


def test_what_is_to_be_judged_is_judged_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Revisions that follow each other, but no more than are kept together."""
    chain = line(*["", *"abcdefg"])
    chain[0] = replace(chain[0], past=True)
    chain[3] = replace(chain[3], verdict="clean")
    chain[4] = replace(chain[4], verdict="avoid-this+unknown")
    chain[7] = replace(chain[7], verdict="avoid-this")
    assert lint.portions(chain) == [["b", "c"], ["e", "f", "g"]]
    monkeypatch.setattr(lint, "PORTION", 2)
    assert lint.portions(chain) == [["b", "c"], ["e", "f"], ["g"]]


def test_progress_is_told_by_the_place_in_the_chain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever part of the chain a run has."""
    monkeypatch.setattr(narration, "PROGRESS_S", {True: 0.0, False: 0.0})
    done = RevisionDone(AppliedRevision("b", "", "upgrade", 0.1), 1, 1)
    narration.trying(output.narrate, ["a", "b", "c"])(done)
    narration.trying(output.narrate)(done)
    line = "  b run on the scratch database"
    assert capsys.readouterr().err == f"{line} (2 of 3)\n{line} (1 of 1)\n"


@pytest.mark.slow
async def test_only_what_is_not_known_is_looked_at(chain: Chain, empty_database: Database) -> None:
    """The fingerprint of a known revision is not taken again."""
    for number in "123":
        chain.add(f"op.execute('CREATE TABLE t{number} ()')", lock=False)
    chain.lock()
    one, *others = read_lock(chain.lock_path)
    kept: list[tuple[Revision, ...]] = []
    async with engine(empty_database.access, "migrate") as made:
        target = Target.of(made, Project.read(chain.ini))
        given = [replace(one, fingerprint="known"), *others]
        found = await fingerprinted(target, given, ["0002"], keep=kept.append)
        assert [r.fingerprint is None for r in found] == [False, False, True]
        found = await fingerprinted(target, found, keep=kept.append)
    assert found[0].fingerprint == "known"
    assert len({r.fingerprint for r in found} - {None}) == 3
    assert [r.fingerprint for r in kept[-1]] == [r.fingerprint for r in found]


@pytest.mark.slow
async def test_what_is_taken_as_it_is_runs_and_is_not_judged(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """Of the past the newest revision has a fingerprint."""
    chain.add("op.execute('CREATE TABLE t (n int)')", lock=False)
    chain.add("op.execute('CREATE INDEX i ON t (n)')", lock=False)
    chain.add("op.execute('CREATE INDEX j ON t (n)')", lock=False)
    chain.lock()
    lock = chain.lock_path
    lock.write_text(f"{lock.read_text('utf-8')}baseline  0002\n", "utf-8")
    done = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert done.err.splitlines()[0] == "OK  revisions.lock written: 3 revisions"
    found = read_lock(lock)
    assert [r.fingerprint is None for r in found] == [True, False, False]
    assert [r.verdict for r in found] == [None, None, "require-concurrent-index+require-downgrade"]
    # A verdict stays as long as code and rules do; there is no server at this address.
    again = await launcher.surefoot(chain, "lock", url="postgresql://nobody@127.0.0.1:1/nowhere")
    assert again.err.splitlines()[0] == "OK  revisions.lock was up to date: 3 revisions"


@pytest.mark.slow
@pytest.mark.parametrize(
    "signal", ["SIGINT", *(pytest.param(s, marks=pytest.mark.slow) for s in ("SIGTERM", "SIGKILL"))]
)
async def test_an_interrupted_lock_is_kept(
    chain: Chain, launcher: Launcher, empty_database: Database, signal: str
) -> None:
    """The next one looks at the rest. A killed process keeps what it had written."""
    chain.add("op.execute('CREATE TABLE t1 ()')", lock=False)
    # Longer than it takes until what was found is kept, where nothing can be kept at the end.
    chain.add("pass" if signal == "SIGINT" else "import time\ntime.sleep(1.2)", lock=False)
    ends = ENDS.format(mark=str(chain.folder / "was-here"), signal=signal)
    chain.add(f"{ends}\nop.execute('CREATE TABLE t3 ()')", lock=False)
    lock = chain.lock_path
    write_lock(lock, [replace(each, verdict="clean") for each in read_revisions(chain.versions)])
    stopped = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert stopped.code != 0, stopped.err
    found = read_lock(lock)
    assert [r.fingerprint is None for r in found] == [False, False, True]
    done = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert done.code == 0, done.err
    assert [r.fingerprint for r in read_lock(lock)][:2] == [r.fingerprint for r in found][:2]
    assert not lacking(read_lock(lock))


@pytest.mark.slow
async def test_dates_mean_the_same_wherever_a_revision_runs(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The bounds of a partition that is traced, and of those before it, also by lint."""
    first, second = (f"FOR VALUES FROM ('{n}-1-1') TO ('{n + 1}-1-1')" for n in (2026, 2027))
    chain.add(
        "op.execute('CREATE TABLE t (at timestamptz NOT NULL) PARTITION BY RANGE (at)')\n"
        f'op.execute("CREATE TABLE a PARTITION OF t {first}")',
        "op.drop_table('t')",
    )
    done = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert done.code == 0, done.err
    chain.add(
        "op.execute('CREATE TABLE b (LIKE t)')\n"
        f'op.execute("ALTER TABLE t ATTACH PARTITION b {second}")',
        "op.drop_table('b')",
    )
    done = await launcher.surefoot(chain, "lint", "0002", url=empty_database.url)
    assert done.code == 0, done.out
    done = await launcher.surefoot(chain, "lock", url=empty_database.url)
    assert not any(each.is_unknown for each in read_lock(chain.lock_path)), done.err


@pytest.mark.slow
async def test_what_the_trace_leaves_on_the_server_is_gone(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """A revision that creates a role runs twice on the throw-away server: traced, and measured."""
    chain.add("op.execute('CREATE TABLE t ()')", "op.drop_table('t')", lock=False)
    chain.add(
        "op.execute('CREATE ROLE reads_only')\nop.execute('GRANT SELECT ON t TO reads_only')",
        "op.execute('DROP OWNED BY reads_only')\nop.execute('DROP ROLE reads_only')",
        lock=False,
    )
    chain.lock()
    done = await launcher.alembic(chain, "lock", url=empty_database.url, program="surefoot")
    assert done.code == 0, done.err
    assert [r.is_unknown for r in read_lock(chain.lock_path)] == [False, False]
    assert not lacking(read_lock(chain.lock_path))


async def test_a_copy_has_the_settings_of_its_database(empty_database: Database) -> None:
    """Those that a revision has given to the database."""
    database = Access(empty_database.url, scratch_url=empty_database.url)
    async with scratch_database(database) as made:
        name = made.engine.url.database
        async with made.engine.connect() as connection:
            await connection.execute(text("CREATE TABLE t ()"))
            await connection.execute(text(f"ALTER DATABASE \"{name}\" SET shop.country = 'fr'"))
            await connection.commit()
        async with made.copied() as copy, copy.connect() as connection:
            told = await connection.scalar(
                text("SELECT current_setting('shop.country') || 't'::regclass")
            )
            assert told == "frt"
            assert copy.url.database != name


@pytest.mark.slow
async def test_a_lock_that_lacks_something_is_said_to_be_written(
    chain: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """A second attempt that fails for the same cause writes nothing."""
    chain.add(
        'op.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "\n'
        '"WHERE pid <> pg_backend_pid() AND datname = current_database()")',
        lock=False,
    )
    for said in ("revisions.lock written, without what could not be found:\n", ""):
        done = await launcher.surefoot(chain, "lock", url=empty_database.url)
        assert done.code == 75, done.err
        assert done.err.startswith(f"{said}ERROR [scratch-lost]  "), done.err
