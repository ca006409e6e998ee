"""A server that asks for a password, and a password that is hard to write."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.databases import value
from surefoot.embedded import EmbeddedServer

PASSWORD = "p@ss:w/o?r#d%41% '\"\\&=+,;[]☃"


@pytest.fixture
async def guarded(state_dir: Path, state_role: str) -> AsyncIterator[Path]:
    """The socket folder of a server that asks the role `guarded` for its password."""
    state_dir.with_name("hba.conf").write_text(
        f"local all {state_role} trust\nlocal all all scram-sha-256\n"
    )
    server = EmbeddedServer(
        state_dir,
        durable=False,
        user=state_role,
        database=f"{state_role}_dev",
        options={"hba_file": str(state_dir.with_name("hba.conf"))},
    )
    with server.use() as running:
        quoted = PASSWORD.replace("'", "''")
        await value(running.url(), f"CREATE ROLE guarded LOGIN PASSWORD '{quoted}'")
        await value(running.url(), "GRANT CREATE ON SCHEMA public TO guarded")
        yield Path(running.state.run)
