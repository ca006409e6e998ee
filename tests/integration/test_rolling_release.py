"""A rolling release over a change that first expands and then contracts, under load.

0014  the old build        | serves, and goes on after 0015
0015  expand               | the new build, which no longer needs what 0016 drops
0016  contract, needs 0015 | refused while the old build lives
"""

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app.db.session import session_factory
from app.keys import repository as keys
from harness.databases import Database, engine, value
from tests.support.builds import Build, build
from tests.support.service import Served, served_by

pytestmark = pytest.mark.slow

AT = "SELECT string_agg(version_num, ',') FROM alembic_version"
PRODUCTION = {
    "VEGAFS_ENVIRONMENT": "production",
    "VEGAFS_MIGRATE_LINT": "off",
    "VEGAFS_MIGRATE_BACKUP_WAIVED": "a test",
}
# In its old form the column is there; the new build has stopped using it.
EXPAND = "op.execute('ALTER TABLE volumes ADD COLUMN label text')"
CONTRACT = "op.execute('ALTER TABLE volumes DROP COLUMN label')"


class Balancer:
    """A round robin over the services that say they are ready; it counts what was answered."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.behind: list[str] = []
        self.answered: Counter[tuple[str, int]] = Counter()

    async def load(self) -> None:
        """Requests, one after the other, for as long as it is let."""
        for number in itertools.count():
            url = self.behind[number % len(self.behind)]
            answer = await self.client.get(f"{url}/api/v1/files")
            self.answered[url, answer.status_code] += 1

    async def passes(self, count: int = 20) -> None:
        """Wait until every service behind it has answered so many more requests."""
        before = self.answered.copy()
        while any(self.answered[url, 200] < before[url, 200] + count for url in self.behind):
            await asyncio.sleep(0.02)

    async def leaves(self, url: str) -> None:
        """Send nothing there any more, and wait until nothing is under way."""
        self.behind = [each for each in self.behind if each != url]
        await self.passes(2)


@asynccontextmanager
async def balancing(database: Database, *urls: str) -> AsyncIterator[Balancer]:
    """A load on the services while the block lasts. On failure: what a request met."""
    async with engine(database.access, "app") as made, session_factory(made).begin() as session:
        key = await keys.create(session, "load")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(headers=headers, timeout=30) as client:
        balancer = Balancer(client)
        balancer.behind = list(urls)
        loads = [asyncio.create_task(balancer.load()) for _ in range(3)]
        try:
            yield balancer
        finally:
            for load in loads:
                load.cancel()
            met = await asyncio.gather(*loads, return_exceptions=True)
        assert {type(each) for each in met} == {asyncio.CancelledError}, met


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[Build, Build, Build]]:
    """The builds at 0014, at 0015 and at 0016."""
    with ExitStack() as stack:
        old, new, last = (stack.enter_context(build(tmp_path / name)) for name in "abc")
        for each in (new, last):
            each.add(EXPAND, CONTRACT)
        last.add(CONTRACT, EXPAND, phase="contract", requires_code="0015")
        yield old, new, last


async def test_no_request_fails(database: Database, releases: tuple[Build, Build, Build]) -> None:
    """Old and new behind one database; each migration at its time, and refused before it."""
    old, new, last = releases
    environment = {"DATABASE_URL": database.url, "VEGAFS_WORKER": "false", **PRODUCTION}

    def start(of: Build) -> Served:
        return stack.enter_context(served_by(of.forks, **environment))

    with ExitStack() as stack:
        first = start(old)
        one = await asyncio.to_thread(first.wait_until_it_serves)
        async with balancing(database, one) as balancer:
            await balancer.passes()

            # A new pod before its migration waits, and nobody sends it anything.
            early = start(new)
            waits = await asyncio.to_thread(early.wait_until_it_waits)
            assert (await readyz(balancer, waits))["code"] == "database-behind"

            # The new release's migration expands; the old build serves on and says what is ahead.
            expanded = await migrate(new, environment)
            assert expanded[0] == 0, expanded
            await until(balancer, one, "ahead")
            assert (await readyz(balancer, one))["ahead"] == ["0015"]
            assert any("ready: " in line and "0015 (expand)" in line for line in first.said)
            two = await asyncio.to_thread(early.wait_until_it_serves)
            assert two == waits
            balancer.behind.append(two)
            await balancer.passes()

            # The contract revision is refused while the old build lives.
            code, said = await migrate(last, environment)
            assert code == 3, said
            assert "REFUSED [services-alive]  0016 needs the code of 0015, and 1 older" in said
            assert await value(database.url, AT) == "0015"
            await balancer.passes()

            # Without it the revision runs, and the build that tolerates it serves on.
            await balancer.leaves(one)
            assert await asyncio.to_thread(first.stop, signal.SIGTERM) == 0
            code, said = await migrate(last, environment)
            assert code == 0, said
            await until(balancer, two, "ahead")
            await balancer.passes()
            # Its migration has nothing to do, should it be run again.
            code, said = await migrate(new, environment)
            assert code == 0, said
            assert "is ahead of this build: 0016 leaves what 0015 needs. Nothing to do.\n" in said

            # The last build takes over.
            three = await asyncio.to_thread(start(last).wait_until_it_serves)
            assert (await readyz(balancer, three))["code"] == "at-head"
            balancer.behind.append(three)
            await balancer.leaves(two)
            await balancer.passes()

            # An old build that comes back by mistake does not serve.
            late = start(old)
            assert await asyncio.to_thread(late.wait) == 1
            assert any("0016 (contract, needs the code of 0015)" in line for line in late.said)
    assert {status for _, status in balancer.answered} == {200}


async def migrate(of: Build, environment: dict[str, str]) -> tuple[int, str]:
    """The exit code of `alembic upgrade head`, and what it said."""
    run = of.forks.start("alembic", "upgrade", "head", env=environment)
    result = await asyncio.to_thread(run.wait)
    return result.code, result.err


async def readyz(balancer: Balancer, url: str) -> dict[str, object]:
    """The answer of /readyz to a caller with a key."""
    return dict((await balancer.client.get(f"{url}/readyz")).json())


async def until(balancer: Balancer, url: str, code: str) -> None:
    """Wait until /readyz says that."""
    for _ in range(1500):
        if (await readyz(balancer, url))["code"] == code:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(await readyz(balancer, url))
