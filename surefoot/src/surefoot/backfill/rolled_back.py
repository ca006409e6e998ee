"""Parts of a transaction that are rolled back, for trials on made rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from surefoot.backfill.failures import meaning


class MadeRowsUnfit(Exception):
    """The made rows cannot be changed so; other rows may be."""


@asynccontextmanager
async def rolled_back(connection: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """A transaction, or a part of one, that is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


@asynccontextmanager
async def of_made_rows(connection: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """A part of a transaction. On failure: MadeRowsUnfit, where other rows might be changed so."""
    try:
        async with connection.transaction():
            yield
    except asyncpg.PostgresError as error:
        if meaning(error) == "stop":
            raise
        raise MadeRowsUnfit from error
