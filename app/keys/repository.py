"""API keys in the database: create, list, revoke, look up.

A key is 256 random bits, so its plain SHA-256 reveals nothing about it, and an index finds it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.db.models import ApiKey
from app.errors import KeyNameTaken, KeyNotFound, KeyUnknown

# A key that leaks into a log or a repository is recognisable.
PREFIX = "vegafs_"
USE_NOTED_EVERY = timedelta(minutes=1)

# Rights beyond the API. ops: the page and the metrics of a service.
SCOPES = ("ops",)


async def create(session: AsyncSession, name: str, scopes: Sequence[str] = ()) -> str:
    """Create a key and return it; it cannot be shown again. On failure: KeyNameTaken."""
    key = PREFIX + secrets.token_urlsafe(32)
    created = await session.scalar(
        insert(ApiKey)
        .values(name=name, key_sha256=_digest(key), scopes=list(scopes))
        .on_conflict_do_nothing(index_elements=["name"], index_where=ApiKey.revoked_at.is_(None))
        .returning(ApiKey.id)
    )
    if created is None:
        raise KeyNameTaken(name)
    return key


async def find(session: AsyncSession) -> Sequence[ApiKey]:
    """Every key, also those that were revoked, oldest first."""
    return (await session.scalars(select(ApiKey).order_by(ApiKey.id))).all()


async def revoke(session: AsyncSession, name: str) -> None:
    """Revoke the key of that name at once. On failure: KeyNotFound."""
    revoked = await session.scalar(
        update(ApiKey)
        .where(ApiKey.name == name, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKey.id)
    )
    if revoked is None:
        raise KeyNotFound(name)


async def recognise(session: AsyncSession, key: str) -> str:
    """The name of a valid key; its use is recorded at most once a minute.

    On failure: KeyUnknown.
    """
    found = (
        await session.execute(
            select(ApiKey.id, ApiKey.name, ApiKey.last_used_at).where(
                ApiKey.key_sha256 == _digest(key), ApiKey.revoked_at.is_(None)
            )
        )
    ).one_or_none()
    if found is None:
        raise KeyUnknown
    if _is_old(found.last_used_at):
        # Requests with the same key must not queue behind a slow one.
        free = (
            select(ApiKey.id)
            .where(ApiKey.id == found.id, or_(ApiKey.last_used_at.is_(None), _OLD))
            .with_for_update(skip_locked=True)
        )
        await session.execute(
            update(ApiKey).where(ApiKey.id.in_(free)).values(last_used_at=func.now())
        )
    return str(found.name)


async def has_scope(session: AsyncSession, key: str, scope: str) -> bool:
    """Whether the key has the scope. A query of its own: most requests need no scope."""
    found = await session.scalar(
        select(ApiKey.scopes.contains([scope])).where(ApiKey.key_sha256 == _digest(key))
    )
    return bool(found)


_OLD = ApiKey.last_used_at < func.now() - USE_NOTED_EVERY


def _is_old(last_used_at: datetime | None) -> bool:
    """Whether the use may have to be recorded; the database's clock decides."""
    return last_used_at is None or datetime.now(timezone.utc) - last_used_at >= USE_NOTED_EVERY


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
