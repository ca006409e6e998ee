"""TracedSession reads Snapshots with prepared statements: planning takes longer than the rest."""

import itertools
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from surefoot.quoting import literal
from surefoot.trace import snapshot as snapshots
from surefoot.trace.schema_objects import Activity
from surefoot.trace.snapshot import ACTIVITY, CHANGES, SESSION, SNAPSHOT, Settings, Snapshot
from surefoot.trace.trials import BODIES, TRIGGERS

# A query is planned again once there are more relations by this factor.
GROWTH = 2
_NAMES = itertools.count()
_PATH = "SELECT pg_catalog.current_setting('search_path')"
_SET_PATH = "SELECT pg_catalog.set_config('search_path', $1, true)"
_NAMESAKES = """SELECT EXISTS (SELECT FROM pg_catalog.pg_type made JOIN pg_catalog.pg_type other
USING (typname) WHERE made.oid = ANY ($1::oid[]) AND other.oid <> made.oid)"""
_REFUSED = "SELECT pg_catalog.current_setting('surefoot.refused')"
_FIRST_PATH = """SELECT pg_catalog.set_config(name, reset_val, true) FROM pg_catalog.pg_settings
WHERE name = 'search_path'"""


class TracedSession:
    """The session of a run, queried between two of its statements."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._prepared: dict[str, Any] = {}
        # The number of relations that the plan of a query was made for.
        self._planned_for: dict[str, int] = {}

    async def snapshot(self, former: Snapshot | None = None, *, moved: bool = False) -> Snapshot:
        """The schema as the session sees it, and the session itself.

        A former Snapshot makes it cheap: of this transaction, or of the one right before it. Where
        the search path may have `moved`, it is put back for the query: names in definitions depend
        on it.
        """
        if not moved:
            return await self._snapshot(former)
        settings, path = await self.at_rest(), await self.driver.fetchval(_PATH)
        await self.driver.fetchval(_FIRST_PATH)
        found = await self._snapshot(former)
        await self.driver.fetchval(_SET_PATH, path)
        return replace(found, session=settings)

    async def _snapshot(self, former: Snapshot | None) -> Snapshot:
        if former is not None:
            found = await self._read(CHANGES, former)
            if await self._keeps_names(former, found):
                return found
        return await self._read(SNAPSHOT)

    async def _read(self, query: str, former: Snapshot | None = None) -> Snapshot:
        found = snapshots.read_snapshot(await self._fetch(query), former)
        count = len(found.relations)
        if count > GROWTH * self._planned_for.setdefault(query, count):
            # A plan for a few tables joins hundreds of them in nested loops.
            del self._prepared[query], self._planned_for[query]
        return found

    async def _keeps_names(self, former: Snapshot, found: Snapshot) -> bool:
        """Whether objects that were not written have the names of types and schemas as before.

        Their rows have these names. A new type changes none, unless there is another of its name.
        """
        was, now = former.types, found.types
        if not (former.schemas.items() <= found.schemas.items() and was.items() <= now.items()):
            return False
        made = [*(now.keys() - was.keys())]
        return not (made and await self.driver.fetchval(_NAMESAKES, made))

    async def activity(self) -> Mapping[int, Activity]:
        """The rows read and written since PostgreSQL last counted them."""
        return snapshots.read_activity(await self._fetch(ACTIVITY))

    async def at_rest(self) -> Settings:
        """The settings that the session has outside of a transaction."""
        return snapshots.read_settings(await self._fetch(SESSION))

    async def refused(self, words: Collection[str]) -> Mapping[str, str]:
        """The SQL functions and triggers with such words that cannot run any more, and why.

        The search path is put back to that of a new session, until the transaction ends.
        """
        pattern = literal(rf"\m({'|'.join(map(re.escape, sorted(words)))})\M")
        await self.driver.fetchval(_FIRST_PATH)
        found: dict[str, str] = {}
        for tried in (BODIES, TRIGGERS):
            await self.driver.execute(tried.replace("~* $1", f"~* {pattern}"))
            found |= json.loads(await self.driver.fetchval(_REFUSED))
        return found

    async def _fetch(self, query: str) -> Any:
        if query not in self._prepared:
            # Named: PostgreSQL drops an unnamed statement at the next unnamed one.
            name = f"trace_{next(_NAMES)}"
            self._prepared[query] = await self.driver.prepare(query, name=name)
        return await self._prepared[query].fetchval()
