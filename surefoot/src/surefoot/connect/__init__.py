"""How a database is reached: its URL, its connections and engines, and the errors of both."""

from surefoot.connect.database import Database, Role
from surefoot.connect.failures import (
    DATABASE_ERRORS,
    TRY_AGAIN,
    UNDEFINED_COLUMN,
    UNDEFINED_TABLE,
    describe,
    explain,
    explained,
    sqlstate,
)
from surefoot.connect.url import DatabaseUrl

__all__ = [
    "DATABASE_ERRORS",
    "TRY_AGAIN",
    "UNDEFINED_COLUMN",
    "UNDEFINED_TABLE",
    "Database",
    "DatabaseUrl",
    "Role",
    "describe",
    "explain",
    "explained",
    "sqlstate",
]
