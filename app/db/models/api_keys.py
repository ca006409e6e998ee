"""API keys: who may call the service."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base, identity, now


class ApiKey(Base):
    """A key is shown once. Only its SHA-256 is stored: a key is 256 random bits."""

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("key_sha256"),
        CheckConstraint("name <> ''", name="name_not_empty"),
        CheckConstraint("octet_length(key_sha256) = 32", name="sha256_length"),
        # A name can be reused after its key was revoked.
        Index("uq_api_keys_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
        {"comment": "Who may call the service"},
    )

    id: Mapped[identity]
    name: Mapped[str]
    key_sha256: Mapped[bytes] = mapped_column(BYTEA)
    created_at: Mapped[now]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(
        ARRAY(Text),
        server_default=text("'{}'::text[]"),
        comment="What the key may do beside calling the API",
    )
