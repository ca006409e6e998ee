"""read() asks a database for everything that an overview shows, part by part."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import anyio
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.db.failures import DATABASE_ERRORS, describe
from app.errors import LedgerEdited
from app.migrate.history.ledger import Ledger, Row
from app.migrate.history.services import living
from app.migrate.overview.model import Activity, Reading, Schema, Unread
from app.migrate.proof.catalog import NOTHING, snapshot
from app.migrate.proof.startup import Build, Verdict, look, unreachable
from app.migrate.run import blockers, mutex
from app.migrate.run.progress import progress_of

# A server that is silent costs this and, to close the connection, up to two seconds more.
READ_S = 3.0
VERSION_TABLE = "alembic_version"
# What a migration has locked is not worth waiting for.
_BOUNDS = (
    "SELECT set_config('lock_timeout', '200ms', true), "
    "set_config('statement_timeout', '1500ms', true)"
)
_T = TypeVar("_T")


async def read(engine: AsyncEngine, build: Build, *, timeout_s: float = READ_S) -> Reading:
    """Read everything, whatever the database does, within about `timeout_s`.

    `engine` is one that only looks. On failure: an error of the database that nobody knows.
    """
    try:
        with anyio.fail_after(timeout_s):
            connection = await engine.connect()
    except DATABASE_ERRORS as error:
        return _nothing(unreachable(engine.url, build, error, timeout_s=timeout_s))
    try:
        return await _read(connection, build, time.monotonic() + timeout_s)
    except DATABASE_ERRORS as error:
        return _nothing(unreachable(engine.url, build, error, timeout_s=timeout_s))
    finally:
        with anyio.move_on_after(1, shield=True):
            await connection.close()


async def _read(connection: AsyncConnection, build: Build, until_s: float) -> Reading:
    with anyio.fail_after(until_s - time.monotonic()):
        await connection.exec_driver_sql(_BOUNDS)
        verdict = await look(connection, build)
        await connection.rollback()

    async def part(ask: Callable[[Connection], _T]) -> _T | Unread:
        try:
            with anyio.fail_after(max(until_s - time.monotonic(), 0.01)):
                await connection.exec_driver_sql(_BOUNDS)
                found = await connection.run_sync(ask)
                await connection.rollback()
                return found
        except TimeoutError:
            return Unread("the database took too long to answer")
        except DATABASE_ERRORS as error:
            if not connection.invalidated:
                await connection.rollback()
            return Unread(describe(error))

    activity = await part(_activity)
    return Reading(
        verdict=verdict,
        ledger=await part(_ledger),
        ledger_broken=await part(_ledger_broken),
        activity=activity,
        services=await part(lambda c: living(c, build.revisions)),
        schema=(
            await part(lambda c: _schema(c, build, verdict))
            if activity is None
            else Unread("not compared while a migration is at work")
        ),
    )


def _nothing(verdict: Verdict) -> Reading:
    away = Unread("the database does not answer")
    return Reading(verdict, away, away, away, away, away)


def _activity(connection: Connection) -> Activity | None:
    holder = mutex.find_holder(connection, mutex.key(VERSION_TABLE))
    if holder is None:
        return None
    progress = progress_of(connection, holder.pid)
    return Activity(holder, progress, blockers.find(connection, holder.pid))


def _ledger(connection: Connection) -> tuple[Row, ...]:
    ledger = Ledger(VERSION_TABLE)
    return ledger.read(connection) if ledger.exists(connection) else ()


def _ledger_broken(connection: Connection) -> str | None:
    ledger = Ledger(VERSION_TABLE)
    try:
        if ledger.exists(connection):
            ledger.verify(connection)
    except LedgerEdited as error:
        return error.message
    return None


def _schema(connection: Connection, build: Build, verdict: Verdict) -> Schema:
    found = snapshot(connection).fingerprint()
    if verdict.current is None:
        return Schema(found, NOTHING.fingerprint())
    at = next((each for each in build.revisions if each.id == verdict.current), None)
    return Schema(found, at.fingerprint if at is not None else None)
