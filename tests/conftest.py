"""Fixtures of the service's tests; harness.fixtures has what both projects share."""

from harness.fixtures import (
    connection,
    database,
    databases,
    empty_database,
    pytest_configure,
    pytest_runtest_makereport,
    pytest_unconfigure,
    server,
    session,
    sessions,
    shared_connection,
    shared_engine,
)

__all__ = [
    "connection",
    "database",
    "databases",
    "empty_database",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_unconfigure",
    "server",
    "session",
    "sessions",
    "shared_connection",
    "shared_engine",
]
