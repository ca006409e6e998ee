"""Fixtures of sessions in a transaction that is rolled back, on one migrated database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from app.db.session import SessionFactory, session_factory
from harness.databases import Databases


@pytest.fixture(scope="session")
async def shared_engine(databases: Databases) -> AsyncIterator[AsyncEngine]:
    """The application's engine on one migrated database, where every test leaves no trace."""
    shared = await databases.clone()
    engine = shared.access.engine("app")
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
async def shared_connection(shared_engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One connection for all of them: taking it from the pool would cost each test a ping."""
    async with shared_engine.connect() as opened:
        yield opened


@pytest.fixture
async def connection(shared_connection: AsyncConnection) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction that is rolled back when the test ends."""
    transaction = await shared_connection.begin()
    yield shared_connection
    if transaction.is_active:
        await transaction.rollback()


@pytest.fixture
def sessions(connection: AsyncConnection) -> SessionFactory:
    """Sessions on `connection`: their commits are savepoints, and all of them see each other."""
    factory = session_factory(connection.engine)
    factory.configure(bind=connection, join_transaction_mode="create_savepoint")
    return factory


@pytest.fixture
async def session(sessions: SessionFactory) -> AsyncIterator[AsyncSession]:
    """A session on `connection`."""
    async with sessions() as opened:
        yield opened
