"""`surefoot plan REV` plans what `alembic upgrade REV` would apply, and no more."""

from pathlib import Path

import pytest

from harness.databases import Database
from harness.runs import Chain, Launcher

UNKNOWN = "ERROR [revision-unknown]  "


@pytest.mark.slow
async def test_a_plan_ends_at_a_revision(tmp_path: Path, empty_database: Database) -> None:
    """By its id, the beginning of an id, or counted; the next command names it."""
    url, launcher, chain = empty_database.url, Launcher(), Chain(tmp_path / "shop")
    for number in range(1, 5):
        chain.add(f"op.execute('CREATE TABLE t{number} ()')", f"op.drop_table('t{number}')")
    assert (await launcher.alembic(chain, "upgrade", "0001", url=url)).code == 0

    async def planned(*words: str) -> str:
        done = await launcher.surefoot(chain, "plan", *words, url=url)
        return (done.out + done.err).strip()

    for word in ("0003", "+2"):
        said = await planned(word)
        assert "1 of 2  0002" in said, said
        assert said.endswith("Next: alembic upgrade 0003"), said
    for words in ((), ("head",)):
        assert (await planned(*words)).endswith("Next: alembic upgrade head")
    assert (await planned("0001")).endswith(" has 0001. Nothing to plan.")
    assert (await planned("+4")).startswith(f"{UNKNOWN}+4 leads to no one revision; pending: 0002,")
    assert (await planned("0009")).startswith(f"{UNKNOWN}no revision is '0009'")
