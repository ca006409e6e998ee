"""The size of a table as far as it is known: its rows in a target, and whether it is released."""

import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from surefoot.chain.created_tables import created_tables
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.errors import SurefootError, UsageError
from surefoot.errors.disclosure import disclosed
from surefoot.linting.history import released
from surefoot.project import Project
from surefoot.quoting import own_name, quoted

# No table is counted further.
SMALL_ROWS = 10_000
Connected = Callable[[str], AbstractContextManager[Connection]]
# Whether a role sees a table by its name alone, and whether there is one in any schema.
_THERE = text("""
SELECT to_regclass(:quoted) IS NOT NULL,
       EXISTS (SELECT FROM pg_class WHERE relname = :name AND relkind IN ('r', 'p'))
""")
# Row security would hide rows; without it, a query that it concerns is an error.
_SETTINGS = ("SET LOCAL row_security = off", "SET LOCAL statement_timeout = '5s'")


def rows_of(target: str, connected: Connected, tables: Collection[str]) -> Mapping[str, int | None]:
    """The rows of each table in a target, up to SMALL_ROWS; none of one that is not there.

    None where the role may not count; empty where the target does not answer. On failure:
    UsageError.
    """
    try:
        with connected(target) as connection:
            for each in _SETTINGS:
                connection.exec_driver_sql(each)
            return {table: _rows(connection, table) for table in tables}
    except UsageError:
        raise
    except (SurefootError, *DATABASE_ERRORS) as error:
        sys.stderr.write(disclosed(f"?   {target} was not asked: {error}") + "\n")
        return {}


def unreleased(project: Project) -> tuple[frozenset[str], str]:
    """The tables that revisions create which another branch does not have, and its name.

    None where git does not know what is released.
    """
    try:
        known, branch = released(project.lock)
    except (UsageError, OSError):
        return frozenset(), ""
    paths = (each.path for each in project.revisions() if each.id not in known)
    return frozenset(name for path in paths if path for name in created_tables(path)), branch


def _rows(connection: Connection, table: str) -> int | None:
    names = {"quoted": quoted(table), "name": own_name(table)}
    is_seen, is_there = connection.execute(_THERE, names).one()
    if not is_seen:
        return None if is_there else 0
    some = f"SELECT 1 FROM {quoted(table)} LIMIT {SMALL_ROWS}"  # noqa: S608 - quoted
    try:
        with connection.begin_nested():
            return len(connection.exec_driver_sql(some).all())
    except DBAPIError:
        return None
