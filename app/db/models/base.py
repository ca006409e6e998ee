"""The metadata, the naming convention of constraints and the column types of all models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Identity, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

# Names that PostgreSQL chooses can differ between databases, so a revision cannot drop by name.
NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Base(DeclarativeBase):
    """A table of the catalogue."""

    metadata = metadata
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to declare it
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


identity = Annotated[int, mapped_column(BigInteger, Identity(always=True), primary_key=True)]
now = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
