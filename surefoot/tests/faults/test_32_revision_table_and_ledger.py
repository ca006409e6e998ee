"""Revision table and ledger contradict each other, or one of them is lost."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from harness.commands import snapshot_of
from harness.databases import Database, access_to, engine
from harness.runs import Chain, Launcher
from surefoot import Project, drift, plan
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions
from surefoot.errors import DatabaseDiverged
from surefoot.startup.check import Build, check

ADOPT = "`surefoot ops adopt 0003 --reason …` records where the schema is"
CONTRADICTED = "REFUSED [ledger-contradicted]  the version table and the ledger of '{}' "
# Row security hides the rows from whoever is no superuser; the test's role is one.
HIDE = (
    "CREATE ROLE {role} LOGIN; ALTER SCHEMA public OWNER TO {role};"
    "ALTER TABLE alembic_version OWNER TO {role};"
    "ALTER TABLE alembic_version_ledger OWNER TO {role};"
    "ALTER FUNCTION alembic_version_ledger_append_only() OWNER TO {role};"
)
HIDDEN = {
    "the version table": ["alembic_version"],
    "the ledger": ["alembic_version_ledger"],
    "both": ["alembic_version", "alembic_version_ledger"],
}


@pytest.fixture
async def applied(chain: Chain, launcher: Launcher, empty_database: Database) -> Chain:
    """Three revisions, all applied; two would fail if they ran again, one would not."""
    chain.add("op.execute('CREATE TABLE t (id int)')", "op.execute('DROP TABLE t')")
    chain.add("op.execute('INSERT INTO t VALUES (1)')", "op.execute('DELETE FROM t')")
    chain.add("op.execute('CREATE TABLE u (id int)')", "op.execute('DROP TABLE u')")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    return chain


BELOW = {
    "emptied": ("TRUNCATE alembic_version", "alembic_version is empty, and the ledger is at 0003"),
    "set back": (
        "UPDATE alembic_version SET version_num = '0001'",
        "it is at 0001, and the ledger has 0002, 0003 too",
    ),
    "a row too many": (
        "INSERT INTO alembic_version VALUES ('0001')",
        "of its rows 0001, 0003 one builds on another",
    ),
}


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    "command", [("upgrade", "head"), ("downgrade", "base")], ids=lambda c: c[0]
)
@pytest.mark.parametrize(("done", "said"), BELOW.values(), ids=BELOW)
async def test_a_revision_table_below_the_ledger_is_refused(
    applied: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    done: str,
    said: str,
    command: tuple[str, ...],
) -> None:
    """Nothing is applied again, and the command that is named goes on."""
    url = empty_database.url
    await watcher.execute(done)
    result = await launcher.alembic(applied, *command, url=url)
    assert result.code == 3, result.err
    assert result.err.startswith(CONTRADICTED.format(empty_database.name))
    assert f" contradict each other: {said}; a run would" in result.err
    assert ADOPT in result.err
    assert await watcher.fetchval("SELECT count(*) FROM t") == 1
    assert await watcher.fetchval("SELECT count(*) FROM alembic_version_ledger") == 4
    adopted = await launcher.surefoot(
        applied, "ops", "adopt", "0003", "--reason", "restored", "--execute", url=url
    )
    assert adopted.code == 0, adopted.err
    assert await watcher.fetchval("SELECT array_agg(version_num::text) FROM alembic_version") == [
        "0003"
    ]
    again = await launcher.alembic(applied, "downgrade", "-1", url=url)
    assert again.code == 0, again.err


@pytest.mark.slow
@pytest.mark.parametrize("tables", HIDDEN.values(), ids=HIDDEN)
async def test_a_table_that_row_security_hides_is_not_taken_for_empty(
    applied: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    tables: list[str],
) -> None:
    """The role sees no row: nobody says that there is none, nor what would be dropped for it."""
    role = f"{empty_database.name}_owner"
    await watcher.execute(HIDE.format(role=role))
    for table in tables:
        await watcher.execute(
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        )
    url = empty_database.url.replace("//tester@", f"//{role}@")
    assert url != empty_database.url
    for start, command in (
        (launcher.alembic, ("upgrade", "head")),
        (launcher.alembic, ("current",)),
        (launcher.surefoot, ("drift",)),
        (launcher.surefoot, ("plan",)),
    ):
        result = await start(applied, *command, url=url)
        assert result.code == 3, result.err
        assert "REFUSED [rows-hidden]  " in result.err
    async with engine(access_to(url), "watch") as made:
        verdict = await check(made, Build.read(applied.lock_path))
    assert verdict.error is not None
    assert verdict.error.code == "rows-hidden"
    assert await watcher.fetchval("SELECT count(*) FROM t") == 1
    await watcher.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}")


@pytest.mark.slow
async def test_a_ledger_without_a_row_gets_what_the_revision_table_has(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """A restore left the rows out: the next run must not leave a ledger that denies the rest."""
    applied.add("op.execute('CREATE TABLE v (id int)')", "op.execute('DROP TABLE v')")
    applied.add("op.execute('CREATE TABLE w (id int)')", "op.execute('DROP TABLE w')")
    await watcher.execute(
        "ALTER TABLE alembic_version_ledger DISABLE TRIGGER ALL; TRUNCATE alembic_version_ledger;"
        "ALTER TABLE alembic_version_ledger ENABLE TRIGGER ALL"
    )
    url = empty_database.url
    verified = await launcher.surefoot(applied, "verify", url=url)
    assert "it has no row of the revisions up to 0003: their record is lost" in verified.out
    done = await launcher.alembic(applied, "upgrade", "head", url=url)
    assert done.code == 0, done.err
    assert done.err.startswith(
        "WARNING [ledger-lost]  alembic_version_ledger has no row of a revision: who applied what, "
        "and when, is lost up to now; it gets 0001, 0002, 0003 as adopted\n"
    )
    rows = await watcher.fetch("SELECT revision, outcome FROM alembic_version_ledger ORDER BY id")
    assert [tuple(row) for row in rows] == [
        *((each, "adopted") for each in ("0001", "0002", "0003")),
        *((each, "applied") for each in ("0004", "0005")),
        ("0005", "measured"),
    ]
    again = await launcher.alembic(applied, "upgrade", "head", url=url)
    assert again.code == 0, again.err


@pytest.mark.slow
async def test_a_ledger_that_was_dropped_is_created_again(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Its function is still there; what is lost is said, and the revisions count as adopted."""
    await watcher.execute("DROP TABLE alembic_version_ledger")
    for words, code, said in (
        (("alembic", "upgrade", "head"), 0, "WARNING [ledger-lost]  alembic_version_ledger was"),
        (("surefoot", "verify"), 1, "the table was dropped, with the record of all runs"),
    ):
        start = launcher.alembic if words[0] == "alembic" else launcher.surefoot
        told = await start(applied, *words[1:], url=empty_database.url)
        assert (told.code, said in told.out + told.err) == (code, True), told
    applied.add("op.execute('CREATE TABLE v (id int)')", "op.execute('DROP TABLE v')")
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    assert (
        "WARNING [ledger-lost]  alembic_version_ledger was dropped: who applied what, and when, is "
        "lost up to now; it is created again, with 0001, 0002, 0003 as adopted\n"
    ) in result.err
    rows = await watcher.fetch("SELECT revision, outcome FROM alembic_version_ledger ORDER BY id")
    assert [tuple(row) for row in rows][:4] == [
        ("0001", "adopted"),
        ("0002", "adopted"),
        ("0003", "adopted"),
        ("0004", "applied"),
    ]


@pytest.mark.slow
async def test_both_tables_left_out_of_a_dump_are_refused(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The function stays behind; `ops adopt` creates both again."""
    await watcher.execute("DROP TABLE alembic_version_ledger, alembic_version")
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert (result.code, "[not-adopted]" in result.err) == (3, True), result.err
    adopted = await launcher.surefoot(
        applied, "ops", "adopt", "0003", "--reason", "a dump", "--execute", url=empty_database.url
    )
    assert adopted.code == 0, adopted.err
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert "at head 0003. Nothing to do" in result.err


@pytest.mark.slow
async def test_a_squash_is_adopted(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """One file with the last id replaces three; upgrade names the command, the ledger keeps it."""
    for number in ("0001", "0002"):
        applied.path(number).unlink()
    text = (
        applied.path("0003").read_text().replace("down_revision = '0002'", "down_revision = None")
    )
    body = "op.execute('CREATE TABLE t (id int)')\n    op.execute('CREATE TABLE u (id int)')"
    applied.path("0003").write_text(text.replace("op.execute('CREATE TABLE u (id int)')", body))
    applied.lock()
    refused = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert refused.code == 3, refused.err
    assert (
        "`surefoot ops adopt REV --reason …` records the revisions that replace it" in refused.err
    )
    shown = await launcher.surefoot(
        applied, "ops", "adopt", "0003", "--reason", "squashed", url=empty_database.url
    )
    assert shown.err == (
        "0 differences between the database and the schema of 0003\n"
        "Next: surefoot ops adopt 0003 --reason … --execute\n"
    )
    adopted = await launcher.surefoot(
        applied, "ops", "adopt", "0003", "--reason", "squashed", "--execute", url=empty_database.url
    )
    assert adopted.code == 0, adopted.err
    rows = await watcher.fetch(
        "SELECT revision, direction, outcome, reason FROM alembic_version_ledger "
        "WHERE reason IS NOT NULL ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("0002", "downgrade", "adopted", "squashed"),
        ("0001", "downgrade", "adopted", "squashed"),
        ("0003", "stamp", "adopted", "squashed"),
    ]
    at_head = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert "at head 0003. Nothing to do" in at_head.err


@pytest.mark.slow
async def test_a_revision_with_another_id_is_adopted(
    applied: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """The database is at an id that no file has any more."""
    path = applied.path("0003")
    path.write_text(path.read_text().replace("revision = '0003'", "revision = '0003b'"))
    path.rename(applied.path("0003b"))
    applied.lock()
    refused = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert refused.code != 0
    assert "if one was renamed, `surefoot ops adopt REV --reason …`" in refused.err
    adopted = await launcher.surefoot(
        applied, "ops", "adopt", "0003b", "--reason", "renamed", "--execute", url=empty_database.url
    )
    assert adopted.code == 0, adopted.err
    for command, said in ((("upgrade", "head"), "at head 0003b"), (("downgrade", "-1"), "OK  1")):
        result = await launcher.alembic(applied, *command, url=empty_database.url)
        assert said in result.err


@pytest.mark.slow
async def test_a_revision_that_was_inserted_and_applied_by_hand_is_adopted(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """No upgrade would run it; the message names the command that records it."""
    url = empty_database.url
    applied.add("op.execute('CREATE TABLE v (id int)')", identifier="0002a", down="0002")
    path = applied.path("0003")
    path.write_text(path.read_text().replace("down_revision = '0002'", "down_revision = '0002a'"))
    applied.lock()
    await watcher.execute("CREATE TABLE v (id int)")
    refused = await launcher.alembic(applied, "upgrade", "head", url=url)
    assert (refused.code, "`surefoot ops adopt 0003 --reason …`" in refused.err) == (3, True)
    adopted = await launcher.surefoot(
        applied, "ops", "adopt", "0003", "--reason", "by hand", "--execute", url=url
    )
    assert adopted.code == 0, adopted.err
    result = await launcher.alembic(applied, "upgrade", "head", url=url)
    assert "at head 0003. Nothing to do" in result.err


@pytest.mark.slow
async def test_a_purging_stamp_that_is_true_is_one_transaction(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The ledger says the same as the revision table, also where the stamp names no revision."""
    done = await launcher.alembic(applied, "downgrade", "base", url=empty_database.url)
    assert done.code == 0, done.err
    await watcher.execute("INSERT INTO alembic_version VALUES ('0003')")
    result = await launcher.alembic(applied, "stamp", "--purge", "base", url=empty_database.url)
    assert result.code == 0, result.err
    assert await watcher.fetchval("SELECT count(*) FROM alembic_version") == 0
    again = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert "OK  3 applied" in again.err


@pytest.mark.slow
async def test_a_row_too_many_above_the_ledger_is_told_as_such(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The revisions up to it are not taken for applied ones, nor for inserted files."""
    for _ in range(2):
        applied.add("pass")
    await watcher.execute("INSERT INTO alembic_version VALUES ('0005')")
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert result.code == 3, result.err
    assert "contradict each other: of its rows 0003, 0005 one builds on another" in result.err
    assert ADOPT in result.err


@pytest.mark.sample(2)
@pytest.mark.parametrize("revision", ["0003", "0002"])
async def test_a_stamp_beside_a_row_too_many_is_refused(
    applied: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    revision: str,
) -> None:
    """Alembic would leave a row or stop at an assertion; the purge that is named corrects it."""
    url = empty_database.url
    await watcher.execute("INSERT INTO alembic_version VALUES ('0001')")
    result = await launcher.alembic(applied, "stamp", revision, url=url)
    assert result.code == 3, result.err
    assert "contradict each other: of its rows 0001, 0003 one builds on another" in result.err
    assert ADOPT in result.err
    assert "as does `alembic stamp --purge 0003`" in result.err
    fingerprint = (await snapshot_of(empty_database)).fingerprint()
    revisions = read_revisions(applied.versions)
    write_lock(applied.lock_path, [replace(r, fingerprint=fingerprint) for r in revisions])
    purged = await launcher.alembic(applied, "stamp", "--purge", "0003", url=url)
    assert purged.code == 0, purged.err
    result = await launcher.alembic(applied, "upgrade", "head", url=url)
    assert "at head 0003. Nothing to do" in result.err


@pytest.mark.slow
async def test_after_a_downgrade_to_base_it_was_migrated(
    applied: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """`never migrated` is only said of a database that never was."""
    done = await launcher.alembic(applied, "downgrade", "base", url=empty_database.url)
    assert done.code == 0, done.err
    result = await launcher.alembic(applied, "current", url=empty_database.url)
    assert (result.code, result.err) == (
        0,
        f"{empty_database.name} is at base: its revisions were reverted. "
        "Next: alembic upgrade head\n",
    )
    engine = empty_database.access.engine("observe")
    verdict = await check(engine, Build.read(applied.lock_path))
    await engine.dispose()
    assert (verdict.state, str(verdict)) == (
        "behind",
        f"database {empty_database.name!r} is at base; this build needs 0003 "
        "(pending: 0001, 0002, 0003)",
    )


@pytest.mark.slow
async def test_a_check_that_says_no_has_its_exit_code(
    applied: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """`current --check-heads` and `check` on a database that is behind."""
    url = empty_database.url
    at_head = await launcher.alembic(applied, "current", "--check-heads", url=url)
    assert at_head.code == 0, at_head.err
    done = await launcher.alembic(applied, "downgrade", "-1", url=url)
    assert done.code == 0, done.err
    for command in ("current --check-heads", "check"):
        result = await launcher.alembic(applied, *command.split(), url=url)
        assert result.code == 1, result.err
        assert result.err.startswith("ERROR [database-behind]  database ")


@pytest.mark.slow
async def test_commands_that_look_see_the_contradiction_that_a_run_refuses(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """None calls it behind, and none prints repairs for a revision that the ledger denies."""
    await watcher.execute("UPDATE alembic_version SET version_num = '0001'")
    url = empty_database.url
    codes = {"current": 0, "current --check-heads": 1, "check": 1, "history": 0}
    for command, code in codes.items():
        result = await launcher.alembic(applied, *command.split(), url=url)
        assert (result.code, "[database-diverged]" in result.err) == (code, True), result.err
        assert "upgrade head" not in result.err
    assert [line.split()[:2] for line in result.out.splitlines()] == [
        ["unknown", "0003"],
        ["unknown", "0002"],
        ["applied", "0001"],
    ]
    project = Project.read(applied.ini)
    for look in (plan, drift):
        with pytest.raises(DatabaseDiverged, match="the ledger has 0002, 0003 too"):
            await look(project, empty_database.access)


@pytest.mark.slow
async def test_the_history_of_a_database_that_is_ahead(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """All revisions of this build are applied, and the newer one is told."""
    path = applied.path("0003")
    path.unlink()
    applied.lock()
    result = await launcher.alembic(applied, "history", url=empty_database.url)
    assert (result.code, result.out.splitlines()) == (
        0,
        ["applied  0002  expand    Change 0002", "applied  0001  expand    Change 0001"],
    ), result.err
    assert "ahead of this build: 0003 (expand)" in result.err
    await watcher.execute("UPDATE alembic_version SET version_num = '00ff'")
    await watcher.execute("DROP TABLE alembic_version_ledger")
    result = await launcher.alembic(applied, "history", url=empty_database.url)
    assert result.out.splitlines()[0] == "unknown  0002  expand    Change 0002"


@pytest.mark.slow
async def test_an_edited_file_is_seen_at_head(
    applied: Chain, launcher: Launcher, empty_database: Database
) -> None:
    """With nothing to do the files are compared too; a comment changes nothing."""
    path = applied.path("0002")
    text = path.read_text()
    path.write_text(text + "\n# a comment\n")
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert "at head 0003. Nothing to do" in result.err
    path.write_text(text.replace("VALUES (1)", "VALUES (2)"))
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert result.code == 1, result.err
    assert "0002 was edited" in result.err
