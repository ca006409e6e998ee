"""The database of the sample and of every chain, as the environment names it.

DATABASE_URL                   the database
SUREFOOT_TEST_MIGRATE_URL      its direct URL, where DATABASE_URL leads to a pooler
SUREFOOT_TEST_SCRATCH_URL      a server to try revisions on
SUREFOOT_TEST_LOCK_TIMEOUT_S   a field of Limits; so is each of the others that is in seconds
"""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any

from surefoot import Database, Limits

PREFIX = "SUREFOOT_TEST_"


def database() -> Database:
    """The database that the environment names."""
    return Database(
        os.environ.get("DATABASE_URL"),
        migrate_url=os.environ.get(f"{PREFIX}MIGRATE_URL"),
        scratch_url=os.environ.get(f"{PREFIX}SCRATCH_URL"),
        name="sample",
        limits=_limits(),
    )


def _limits() -> Limits:
    names = {field.name: f"{PREFIX}{field.name.upper()}" for field in fields(Limits)}
    given: dict[str, Any] = {
        field: float(os.environ[name])
        for field, name in names.items()
        if field.endswith("_s") and name in os.environ
    }
    return Limits(**given)
