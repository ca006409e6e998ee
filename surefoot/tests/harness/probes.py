"""Sessions that ask again and again how long they have to wait.

Timed by the server itself: what this machine's other processes cost the client is not a stall.
"""

from __future__ import annotations

import asyncio

from harness.databases import connect

PROBE = """
CREATE FUNCTION probe(of text, number int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    asked timestamptz := clock_timestamp();
BEGIN
    EXECUTE format('SELECT FROM %I WHERE id = %s', of, number);
    RETURN extract(epoch FROM clock_timestamp() - asked);
END $$
"""
# A session that waits for a clock: how late the server wakes up.
LATE = """
SELECT extract(epoch FROM clock_timestamp() - asked)::float8 - 0.2
FROM (SELECT clock_timestamp() AS asked, pg_sleep(0.2)) slept
"""


async def probing(url: str, seconds: list[float], over: asyncio.Event, query: str) -> None:
    """A session that asks until it is over."""
    connection = await connect(url)
    while not over.is_set():
        seconds.append(await connection.fetchval(query))
        await asyncio.sleep(0.002)
    await connection.close()
