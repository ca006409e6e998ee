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
from surefoot.trace.snapshot import ACTIVITY, SESSION, SNAPSHOT, Settings, Snapshot
from surefoot.trace.trials import BODIES, TRIGGERS

# A query is planned again once its answer has grown by this factor.
GROWTH = 2
_NAMES = itertools.count()
_PATH = "SELECT pg_catalog.current_setting('search_path')"
_SET_PATH = "SELECT pg_catalog.set_config('search_path', $1, true)"
_REFUSED = "SELECT pg_catalog.current_setting('surefoot.refused')"
_FIRST_PATH = """SELECT pg_catalog.set_config(name, reset_val, true) FROM pg_catalog.pg_settings
WHERE name = 'search_path'"""


class TracedSession:
    """The session of a run, queried between two of its statements."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._prepared: dict[str, Any] = {}
        # The length of the answer that the current plan was made for.
        self._planned_for = 0

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
            found = snapshots.read_snapshot(await self._fetch(SNAPSHOT, False), former)
            # Their names are in the rows of other objects, which were not written.
            if (found.schemas, found.types) == (former.schemas, former.types):
                return found
        document = await self._fetch(SNAPSHOT, True)
        if len(document) > GROWTH * self._planned_for:
            # A plan for a few tables joins hundreds of them in nested loops.
            self._planned_for = len(document)
            del self._prepared[f"{SNAPSHOT}{(True,)}"]
        return snapshots.read_snapshot(document)

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

    async def _fetch(self, query: str, *arguments: Any) -> Any:
        # A plan for each set of arguments, as they decide what is read.
        key = f"{query}{arguments}"
        if key not in self._prepared:
            # Named: PostgreSQL drops an unnamed statement at the next unnamed one.
            name = f"trace_{next(_NAMES)}"
            self._prepared[key] = await self.driver.prepare(query, name=name)
        return await self._prepared[key].fetchval(*arguments)
