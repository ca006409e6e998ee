"""An applied revision is edited, deleted, or one is put before it."""

import json
import re
from collections.abc import Callable

import asyncpg
import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher, Result

BODY = "op.execute('CREATE TABLE t{0} (id int)')"


@pytest.fixture
async def applied(chain: Chain, launcher: Launcher, empty_database: Database) -> Chain:
    """Three revisions, all applied."""
    for number in range(1, 4):
        chain.add(BODY.format(number), f"op.execute('DROP TABLE t{number}')")
    first = await launcher.alembic(chain, "upgrade", "head", url=empty_database.url)
    assert first.code == 0, first.err
    return chain


@pytest.fixture(params=["at head", "with a revision pending"])
def changed(request: pytest.FixtureRequest, applied: Chain) -> Chain:
    """Nothing to do but to look, and something to do."""
    if request.param != "at head":
        applied.add(BODY.format(4))
    return applied


async def nothing_happened(result: Result, watcher: asyncpg.Connection) -> None:
    """On failure: AssertionError, unless it refused and left the database as it was."""
    assert (result.code, result.out) == (3, ""), result.err
    assert "Traceback" not in result.err
    assert await watcher.fetchval("SELECT to_regclass('t4') IS NULL")
    assert await watcher.fetchval("SELECT count(*) FROM alembic_version_ledger") == 4


@pytest.mark.sample(2)
async def test_an_edited_revision_is_refused(
    changed: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Name, both checksums, the day, and the way out."""
    path = changed.path("0002")
    path.write_text(path.read_text().replace("t2 (id int)", "t2 (id bigint)"))
    changed.lock()
    result = await launcher.alembic(changed, "upgrade", "head", url=empty_database.url)
    assert re.fullmatch(
        r"REFUSED \[revision-edited\]  0002_change changed after it was applied on "
        r"\d{4}-\d\d-\d\d \(recorded [0-9a-f]{8}…, file [0-9a-f]{8}…\)\n"
        r"  help: restore the file; if the edit is harmless, "
        r"`surefoot ops accept-checksum 0002 --reason …`; a development database is taken back by "
        r"`surefoot db goto`\n",
        result.err,
    ), result.err
    await nothing_happened(result, watcher)


@pytest.mark.slow
async def test_an_edited_downgrade_counts_too(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """A revision's downgrade was reviewed with it; `downgrade` compares as well."""
    path = applied.path("0003")
    path.write_text(path.read_text().replace("DROP TABLE t3", "DROP TABLE t3, t2"))
    applied.lock()
    result = await launcher.alembic(applied, "downgrade", "-1", url=empty_database.url)
    assert "REFUSED [revision-edited]  0003_change changed after it was applied" in result.err
    await nothing_happened(result, watcher)


@pytest.mark.slow
async def test_an_edited_file_that_the_lock_does_not_know_is_refused(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Edited behind revisions.lock's back: exit code 1, before anything runs."""
    applied.add(BODY.format(4))
    path = applied.path("0002")
    path.write_text(path.read_text().replace("t2 (id int)", "t2 (id bigint)"))
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert result.code == 1, result.err
    assert "[lock-file-stale]" in result.err
    assert "0002 was edited" in result.err
    assert await watcher.fetchval("SELECT to_regclass('t4') IS NULL")


@pytest.mark.slow
async def test_a_deleted_revision_is_refused(
    changed: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Its successor takes its place in the chain, and the ledger still knows it."""
    changed.path("0002").unlink()
    path = changed.path("0003")
    path.write_text(path.read_text().replace("down_revision = '0002'", "down_revision = '0001'"))
    changed.lock()
    result = await launcher.alembic(changed, "upgrade", "head", url=empty_database.url)
    assert re.fullmatch(
        r"REFUSED \[revision-missing\]  0002 was applied on \d{4}-\d\d-\d\d "
        r"\(recorded [0-9a-f]{8}…\) and its file is gone\n"
        r"  help: restore the file from version control; where it was squashed or renamed, "
        r"`surefoot ops adopt REV --reason …` records the revisions that replace it; a development "
        r"database is taken back by `surefoot db goto`\n",
        result.err,
    ), result.err
    await nothing_happened(result, watcher)


@pytest.mark.slow
async def test_the_newest_revision_deleted_is_a_newer_database(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Such a build is older than the database; by the ledger 0003 only expanded."""
    applied.path("0003").unlink()
    applied.lock()
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    assert "is ahead of this build: 0003 leaves what 0002 needs. Nothing to do." in result.err
    assert await watcher.fetchval("SELECT version_num FROM alembic_version") == "0003"


@pytest.mark.slow
async def test_an_edit_is_refused_under_a_newer_database_too(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """A build that lacks the newest revision has to agree with the database on all others."""
    applied.path("0003").unlink()
    path = applied.path("0002")
    path.write_text(path.read_text().replace("t2 (id int)", "t2 (id bigint)"))
    applied.lock()
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert result.err.startswith("REFUSED [revision-edited]  0002_change changed after it was")
    await nothing_happened(result, watcher)


@pytest.mark.sample(2)
async def test_a_revision_before_an_applied_one_is_refused(
    changed: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """No upgrade would ever run it."""
    changed.add(BODY.format(9), identifier="0002a", down="0002")
    path = changed.path("0003")
    path.write_text(path.read_text().replace("down_revision = '0002'", "down_revision = '0002a'"))
    changed.lock()
    result = await launcher.alembic(changed, "upgrade", "head", url=empty_database.url)
    assert result.err == (
        "REFUSED [revision-inserted]  0002a_change comes before 0003, which is applied, but was "
        "never applied itself: no upgrade would run it\n"
        "  help: give it the next number and build it on the newest revision; if its changes are "
        "in the database, `surefoot ops adopt 0003 --reason …` records it\n"
    )
    await nothing_happened(result, watcher)
    assert await watcher.fetchval("SELECT to_regclass('t9') IS NULL")


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def commented(text: str) -> str:
    return text.replace("def upgrade", "# A reason.\n\n\ndef upgrade") + "\n# the end\n"


def documented(text: str) -> str:
    return text.replace('"""Change 0002."""', '"""Another title.\n\nAnd why.\n"""').replace(
        "def upgrade() -> None:\n", 'def upgrade() -> None:\n    """Make t2."""\n'
    )


def formatted(text: str) -> str:
    return text.replace("op.execute('CREATE", 'op.execute(\n        "CREATE').replace(
        "(id int)')", '(id int)",\n    )'
    )


@pytest.mark.sample(3)
@pytest.mark.parametrize("change", [crlf, commented, documented, formatted])
async def test_what_does_not_run_does_not_matter(
    applied: Chain,
    launcher: Launcher,
    empty_database: Database,
    watcher: asyncpg.Connection,
    change: Callable[[str], str],
) -> None:
    """Line ends, comments, docstrings and formatting, with the lock refreshed and without."""
    path = applied.path("0002")
    before = path.read_bytes()
    path.write_bytes(change(before.decode()).encode())
    assert path.read_bytes() != before
    at_head = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert at_head.code == 0, at_head.err
    applied.add(BODY.format(4), lock=False)
    stale = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert "0004 is not in it" in stale.err
    assert "was edited" not in stale.err
    applied.lock()
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert result.code == 0, result.err
    assert "OK  1 applied" in result.err


@pytest.mark.slow
async def test_a_ledger_that_was_edited_by_hand_is_refused(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """Where somebody went round the trigger; the first row that does not fit is named."""
    with pytest.raises(asyncpg.RestrictViolationError):
        await watcher.execute("DELETE FROM alembic_version_ledger")
    await watcher.execute(
        "SET session_replication_role = replica;"
        "UPDATE alembic_version_ledger SET checksum = 'mine' WHERE revision = '0002';"
        "RESET session_replication_role"
    )
    applied.add(BODY.format(4))
    result = await launcher.alembic(applied, "upgrade", "head", url=empty_database.url)
    assert result.err == (
        "REFUSED [ledger-edited]  the ledger alembic_version_ledger was changed by hand at or "
        "before row 2: its hash does not match\n"
        "  help: restore the row from a backup; `surefoot ledger` shows it\n"
    )
    await nothing_happened(result, watcher)
    shown = await launcher.surefoot(applied, "ledger", url=empty_database.url)
    assert (shown.code, shown.err) == (3, result.err)
    assert [line.split()[0] for line in shown.out.splitlines()] == ["ID", "1", "2", "3", "4"]
    listed = await launcher.surefoot(applied, "ledger", "--json", url=empty_database.url)
    document = json.loads(listed.out)
    assert document["rows"][1]["checksum"] == "mine"
    assert (listed.code, document["edited"]["row"]) == (3, 2)


@pytest.mark.slow
async def test_a_ledger_that_the_search_path_hides_is_not_called_missing(
    applied: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The other commands refuse, too."""
    await watcher.execute(f"ALTER DATABASE \"{empty_database.name}\" SET search_path = ''")
    shown = await launcher.surefoot(applied, "ledger", url=empty_database.url)
    assert (shown.code, "REFUSED [search-path-empty]" in shown.err) == (3, True), shown.err
