"""Standing is where a database is, seen from a project that may be adopted. It is only read."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, text

from surefoot.chain.revisions import Revision
from surefoot.connect.database import Database
from surefoot.connect.failures import address, explained
from surefoot.errors import PermissionMissing, SurefootError, names
from surefoot.frozen import dataclass
from surefoot.ledger.glance import read
from surefoot.ledger.position import State, position
from surefoot.ledger.table import Ledger
from surefoot.project import Project
from surefoot.quoting import qualified

# The schema of the version table: a session without one has an error of its own.
_SESSION = """
SELECT current_user::text AS "user", to_regclass(:table) IS NOT NULL AS versioned,
       has_schema_privilege(to_regnamespace(coalesce(:schema, quote_ident(current_schema()))),
                            'CREATE') AS may_create,
       EXISTS (SELECT FROM pg_catalog.pg_class
           WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))
               AND relkind IN ('r', 'p') AND relname <> ALL (:ours)
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend
                   WHERE classid = 'pg_catalog.pg_class'::regclass
                               AND objid = pg_class.oid AND deptype = 'e')) AS inhabited
"""


@dataclass(frozen=True)
class Standing:
    """The content of the version table and the ledger; or the error that reading them gave."""

    database: str
    # Where it is: empty for a database without a revision.
    at: Collection[str] = ()
    state: State | None = None
    pending: int = 0
    has_ledger: bool = False
    # Whether it has tables and no version table: perhaps another project's.
    is_foreign: bool = False
    # Why the database does not fit, or could not be asked.
    error: SurefootError | None = None
    answers: bool = True

    def as_json(self) -> Mapping[str, object]:
        return {**vars(self), "error": self.error and self.error.as_json()}


async def standing(database: Database, project: Project) -> Standing:
    """Ask the database; an error is one of its answers."""
    engine = database.engine("observe")
    name = f"{engine.url.database or '(default)'} at {address(engine.url)}"
    try:
        with explained(engine.url):
            async with engine.connect() as connection:
                return await connection.run_sync(_read, project, name)
    except SurefootError as error:
        return Standing(name, error=error, answers=False)
    finally:
        await engine.dispose()


def _read(connection: Connection, project: Project, name: str) -> Standing:
    table, chain = project.version_table, project.revisions()
    database = connection.engine.url.database or "(default)"
    try:
        found, has_ledger = read(connection, table), Ledger(table).exists(connection)
    except SurefootError as error:
        return Standing(name, error=error)
    given = {
        "table": table.quoted,
        "schema": table.schema and qualified(table.schema),
        "ours": [*table.relations, *project.exclude],
    }
    session = connection.execute(text(_SESSION), given).one()
    place = position(chain, found.heads, found.recorded, table, has_ledger=found.has_ledger)
    unfit: SurefootError | None = None
    if place.contradiction is not None:
        unfit = place.contradiction.error(database)
    elif not has_ledger and not session.may_create:
        why = f"it cannot create the ledger {table.ledger_name}"
        unfit = PermissionMissing(session.user, database, why)
    pending = len(place.pending)
    is_foreign = session.inhabited and not session.versioned
    heads = sorted(found.heads)
    return Standing(name, heads, place.state, pending, has_ledger, is_foreign, unfit)


def described(found: Standing, chain: Collection[Revision]) -> str:
    """Where it stands, in words."""
    if found.is_foreign:
        adopts = f"`{names.command()} ops adopt REV`, or `base` for tables of another project"
        return f"it has tables and no version table; before the first upgrade comes {adopts}"
    if not found.at:
        return f"empty: no revision yet, {found.pending} pending"
    if found.state == "ahead":
        return f"at {', '.join(found.at)}, after all revisions that there are here"
    if found.state == "current":
        return f"at head ({', '.join(found.at)})"
    return f"at {', '.join(found.at)}, {found.pending} of {len(chain)} pending"
