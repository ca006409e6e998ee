"""with_schemas() lets the new env.py name the schemas in which the models have their tables.

Alembic compares all schemas with `include_schemas`; drift and fingerprints are of those that the
project names, and so is the scratch database.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import text

from surefoot.adoption.candidate import Candidate
from surefoot.adoption.trial import Trial
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.database import Database
from surefoot.errors import SurefootError

_USUAL = "public"


def with_schemas(candidate: Candidate, trial: Trial) -> Candidate:
    """The candidate, completed where its models name schemas and its env.py cannot say so.

    The schema of unqualified names comes first, where Alembic compares it. A search path that
    env.py sets depends on more than the models.
    """
    env, project = candidate.env, trial.project
    if env.is_adopted or env.search_path or project.schemas or trial.failure is not None:
        return candidate
    database: Database | None = None
    try:
        tables = [each for models in project.models() for each in models.tables.values()]
        database = trial.database()
    except SurefootError:
        return candidate  # the survey says it
    named = {each.schema for each in tables if each.schema is not None}
    if not named:
        return candidate
    home = asyncio.run(_home(database))
    is_compared = any(each.name == "include_schemas" for each in env.options)
    has_own = is_compared or any(each.schema is None for each in tables)
    schemas = [*([home] if has_own else []), *sorted(named - {home})]
    return candidate if schemas == [home] else replace(candidate, env=replace(env, schemas=schemas))


async def _home(database: Database | None) -> str:
    """The schema of unqualified names: that of the database, if it answers."""
    if database is None or not database.is_named:
        return _USUAL
    engine = database.engine("observe")
    try:
        with suppress(SurefootError, *DATABASE_ERRORS):
            async with engine.connect() as connection:
                return await connection.scalar(text("SELECT current_schema()::text")) or _USUAL
        return _USUAL
    finally:
        await engine.dispose()
