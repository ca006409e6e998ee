"""Texts that a revision, a title or an operator brings along: shown and recorded without harm."""

import asyncpg
import pytest

from harness.databases import Database, connect
from harness.forks import forks
from harness.runs import Chain, Launcher
from harness.server import Server

ENV = """
import os
from surefoot import Database, Environment, Limits

limits = Limits(backup_command="sh -c 'PGPASSWORD=corr-horse pg_dump shop'")
database = Database(os.environ["DATABASE_URL"], name="sample", limits=limits)
Environment(metadata="sample.models:metadata", database=database).run()
"""
ERROR = "SELECT error FROM alembic_version_ledger WHERE outcome = 'failed'"


@pytest.mark.slow
async def test_secrets_in_the_error_of_a_revision_are_masked_everywhere(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """The password of the URL, and a literal of the backup command: terminal, ledger, JSON."""
    (chain.folder / "alembic" / "env.py").write_text(ENV)
    chain.add("raise ValueError(f'{op.get_bind().engine.url}: battery-staple, corr-horse')")
    url = empty_database.url.replace("tester@", "tester:battery-staple@")
    assert url != empty_database.url
    result = await launcher.alembic(chain, "upgrade", "head", url=url)
    assert result.code == 4, result.err
    recorded = await watcher.fetchval(ERROR)
    listed = [
        forks().start("surefoot", "ledger", *more, env={"DATABASE_URL": url}, cwd=chain.folder)
        for more in ((), ("--json",))
    ]
    for text in (result.err, recorded, *(run.wait().out for run in listed)):
        assert "ValueError" in text or "failed" in text
        assert "battery-staple" not in text
        assert "corr-horse" not in text
    assert recorded.count("***") == 2


@pytest.mark.slow
async def test_controls_and_overrides_of_the_direction_are_escaped(
    chain: Chain, launcher: Launcher, empty_database: Database, watcher: asyncpg.Connection
) -> None:
    """In the error, in the title of a revision, in a reason; the ledger can hold a NUL so."""
    chain.add("raise ValueError('\\x1b[31m\\x00\\u202etxt')")
    path = chain.path("0001")
    path.write_text(path.read_text().replace("Change 0001.", "Change \u202e0001\x1b[5m."))
    chain.lock()
    texts = []
    for arguments in (("upgrade", "head"), ("history",), ("upgrade", "head", "--sql")):
        result = await launcher.alembic(chain, *arguments, url=empty_database.url)
        texts.append(result.out + result.err)
    env = {"DATABASE_URL": empty_database.url}
    for words in (("ledger",), ("ledger", "--json"), ("upgrade",)):
        done = forks().start("surefoot", *words, env=env, cwd=chain.folder).wait()
        texts.append(done.out + done.err)
    for text in texts:
        assert "\x1b" not in text.replace("\x1b[0m", "").replace("\x1b[31m\x1b[1m", "")
        assert "\u202e" not in text
    assert "\\x1b[31m\\x00\\u202etxt" in await watcher.fetchval(ERROR)


@pytest.mark.sample(4)
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP", "KOI8R"])
async def test_a_text_that_the_encoding_of_the_database_lacks_is_recorded(
    chain: Chain, launcher: Launcher, server: Server, empty_database: Database, encoding: str
) -> None:
    """With escapes for what it lacks; the rest stays readable, and the run's own error is said."""
    name = f"{empty_database.name}_{encoding.lower()}"
    admin = await connect(server.url)
    await admin.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
    )
    url = empty_database.url.replace(empty_database.name, name)
    try:
        # A long statement is cut, and has a sign for it.
        chain.add(
            "op.execute('SELECT ' + ', '.join('1' * 300))\n"
            "raise ValueError('\\u2713 \\u65e5\\u672c 1')"
        )
        result = await launcher.alembic(chain, "upgrade", "head", url=url)
        assert result.code == 4, result.err
        assert "ValueError: ✓ 日本 1" in result.err
        connection = await connect(url)
        recorded = await connection.fetchval(ERROR)
        await connection.close()
        shown = "日本" if encoding == "EUC_JP" else "\\u65e5\\u672c"
        assert f"ValueError: \\u2713 {shown} 1" in recorded
    finally:
        await admin.execute(f"DROP DATABASE {name}")
        await admin.close()
