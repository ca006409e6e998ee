"""A probe is what a service is measured by: an SQL statement or a URL, and how long it may take."""

from __future__ import annotations

import asyncio
import time
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import asyncpg

from surefoot.connect.failures import named

_MOST_BYTES = 1 << 16


async def slow(connection: asyncpg.Connection[Any], probe: str, bound_ms: float) -> str | None:
    """Why the service is taken for slow, or None; `connection` runs an SQL statement.

    The statement is cancelled at the bound. A URL is asked in a thread, without a proxy; each step,
    as to connect and to answer, ends at the bound.

    On failure: errors of the connection.
    """
    began_s = time.monotonic()
    if probe.lower().startswith(("http://", "https://")):
        failed = await asyncio.to_thread(_ask, probe, bound_ms / 1000)
    else:
        failed = await _run(connection, probe, bound_ms / 1000)
    if (time.monotonic() - began_s) * 1000 > bound_ms:
        return f"the probe takes longer than {bound_ms:g} ms"
    return failed and f"the probe fails: {failed}"


async def _run(connection: asyncpg.Connection[Any], statement: str, bound_s: float) -> str | None:
    """Why the statement fails. One that is cancelled has taken longer than its bound."""
    try:
        await connection.execute(statement, timeout=bound_s)
    except (asyncio.TimeoutError, TimeoutError):
        return "no answer"
    except asyncpg.PostgresError as error:
        return named(error)
    return None


def _ask(url: str, bound_s: float) -> str | None:
    """Why the URL does not answer as it should."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=bound_s) as answer:
            answer.read(_MOST_BYTES)
    except HTTPError as error:
        with error:
            return f"status {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return str(error) or type(error).__name__
    return None
