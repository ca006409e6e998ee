"""completed() lets the new env.py name the schemas of the models, and the operator's extensions.

Alembic compares all schemas with `include_schemas`; drift and fingerprints are of those that the
project names, and so is the scratch database. It gets the extensions that no revision creates, too.
"""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import text

from surefoot.adoption.candidate import Candidate
from surefoot.adoption.trial import Trial
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.database import Database
from surefoot.errors import SurefootError

_HOME = "SELECT current_schema()::text"
_USUAL = "public"
# Those with a member, or an array of one, that an object needs which is no member or part of one.
_USED = """
WITH direct AS (
    SELECT refobjid AS extension, classid, objid FROM pg_catalog.pg_depend
    WHERE refclassid = 'pg_catalog.pg_extension'::regclass AND deptype = 'e'
), member AS (
    TABLE direct UNION ALL
    SELECT extension, classid, typarray FROM direct
        JOIN pg_catalog.pg_type t ON objid = t.oid AND typarray <> 0
    WHERE classid = 'pg_catalog.pg_type'::regclass
), part AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
        JOIN member m ON (d.refclassid, d.refobjid) = (m.classid, m.objid)
    WHERE d.deptype IN ('i', 'a') UNION SELECT classid, objid FROM member
)
SELECT DISTINCT extname::text FROM pg_catalog.pg_extension e JOIN member m ON extension = e.oid
    JOIN pg_catalog.pg_depend d ON (d.refclassid, d.refobjid, d.deptype) = (m.classid, m.objid, 'n')
WHERE extname <> 'plpgsql'
    AND NOT EXISTS (SELECT FROM part p WHERE (p.classid, p.objid) = (d.classid, d.objid))
ORDER BY 1
"""
_CREATES = re.compile(
    rb"\bCREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?\\?\"?([\w-]+)", re.IGNORECASE
)


def completed(candidate: Candidate, trial: Trial) -> Candidate:
    """The candidate with what its env.py cannot say yet; the same object where that is nothing."""
    if candidate.env.is_adopted or trial.failure is not None:
        return candidate
    try:
        database = trial.database()
        found = _with_schemas(candidate, trial, database)
    except SurefootError:
        return candidate  # the survey says it
    return _with_extensions(found, trial, database)


def _with_schemas(candidate: Candidate, trial: Trial, database: Database | None) -> Candidate:
    """The schema of unqualified names comes first, where Alembic compares it.

    A search path that env.py sets depends on more than the models. On failure: what importing the
    models meets.
    """
    env, project = candidate.env, trial.project
    if env.search_path or project.schemas:
        return candidate
    tables = [each for models in project.models() for each in models.tables.values()]
    named = {each.schema for each in tables if each.schema is not None}
    if not named:
        return candidate
    home = next(iter(_asked(database, _HOME)), None) or _USUAL
    is_compared = any(each.name == "include_schemas" for each in env.options)
    has_own = is_compared or any(each.schema is None for each in tables)
    schemas = [*([home] if has_own else []), *sorted(named - {home})]
    return candidate if schemas == [home] else replace(candidate, env=replace(env, schemas=schemas))


def _with_extensions(candidate: Candidate, trial: Trial, database: Database | None) -> Candidate:
    """Those of the database that its objects need, and that no revision file creates."""
    if trial.project.extensions:
        return candidate
    created = {
        name.decode().lower()
        for code in trial.project.codes().values()
        for name in _CREATES.findall(code)
    }
    extensions = [each for each in _asked(database, _USED) if each not in created]
    if not extensions:
        return candidate
    return replace(candidate, env=replace(candidate.env, extensions=extensions))


def _asked(database: Database | None, query: str) -> Sequence[str]:
    """The answer of the database, if it gives one."""
    if database is None or not database.is_named:
        return ()
    return asyncio.run(_answer(database, query))


async def _answer(database: Database, query: str) -> Sequence[str]:
    engine = database.engine("observe")
    try:
        with suppress(SurefootError, *DATABASE_ERRORS):
            async with engine.connect() as connection:
                found = await connection.scalars(text(query))
                return [each for each in found if each is not None]
        return ()
    finally:
        await engine.dispose()
