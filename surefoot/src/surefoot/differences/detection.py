"""drift() compares a database with its revisions, and at head the revisions with the models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text

from surefoot.autogenerate.plugin import PROJECT
from surefoot.autogenerate.reading import compare
from surefoot.catalog import Catalog, Key, casts, difference, snapshot
from surefoot.catalog.model import NAMED_IN_TABLE
from surefoot.chain.revisions import Revision, heads
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.differences.deviations import deviations, without_excluded
from surefoot.differences.model import Deviation, Drift, Since
from surefoot.differences.repair import Casts
from surefoot.errors import DatabaseAhead
from surefoot.ledger.agreement import expected_fingerprint
from surefoot.ledger.glance import heads_of
from surefoot.ledger.position import position
from surefoot.ledger.table import Ledger, Row, applied, was_used
from surefoot.project import Project
from surefoot.quoting import shown
from surefoot.run.scratch import scratch_at

_MAY_READ = "SELECT has_table_privilege(:name, 'SELECT')"
# The relations in the schema that new objects get, and its name, where that is another one.
_ELSEWHERE = text("""
SELECT relname::text, nspname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = current_schema() AND nspname <> :first
""")


async def drift(
    project: Project, database: Database, *, models: bool = True, privileges: bool = False
) -> Drift:
    """Every difference between the database and its revisions, with the SQL that repairs it.

    At head the models are compared too, unless `models` is false; with `privileges`, owners and
    privileges are. Nothing is written to the database; a role that may read is enough.

    On failure: DatabaseAhead where this build does not know the database's revision,
    DatabaseDiverged where version table and ledger contradict each other; the errors of connecting,
    and of the revisions on the scratch database.

    Example:
        found = await drift(project, database)
        print(found.count, found.as_json())
    """
    chain = project.revisions()
    metadata = project.models() if models else ()
    engine = database.engine("observe")
    name = engine.url.database or "(default)"
    try:
        with explained(engine.url):
            async with engine.connect() as connection:
                at, rows, found, known = await connection.run_sync(_read, privileges, project)
                others = await connection.run_sync(_elsewhere, project)
    finally:
        await engine.dispose()
    if not set(at) <= {revision.id for revision in chain}:
        raise DatabaseAhead(name, ", ".join(at), ", ".join(sorted(heads(chain))))
    # A repair of the schema for a revision that the ledger denies could drop what is in use.
    place = position(chain, at, applied(rows), project.version_table, has_ledger=was_used(rows))
    if place.contradiction is not None and place.contradiction.refusal is None:
        raise place.contradiction.error(name)
    of_models = None
    async with scratch_at(database, project, at) as target, target.engine.connect() as connection:
        expected = await connection.run_sync(_catalog, privileges, project)
        if metadata and frozenset(at) == heads(chain):
            of_models = await connection.run_sync(of_metadata, metadata, project)
    own, left_out = without_excluded(found, expected, project.exclude), {*project.exclude}
    different = deviations(expected, own, known)
    return Drift(
        name,
        ", ".join(at) or "base",
        different,
        dated(rows, project.locked(), own.fingerprint()),
        of_models,
        _misplaced(different, others, project),
        tuple(
            each.name
            for each in difference(own, found)
            if each.kind not in NAMED_IN_TABLE
            and not left_out.isdisjoint((each.name, each.name.rpartition(".")[2]))
        ),
    )


def dated(rows: Iterable[Row], locked: Sequence[Revision], fingerprint: str) -> Since:
    """After the last run with the expected fingerprint, before the first with the present one.

    Fingerprints written by older builds are not compared: they equal none of this build's.
    """
    after = before = None
    for row in rows:
        if row.outcome != "measured":
            continue
        heads = [] if row.revision == "base" else row.revision.split("+")
        if row.fingerprint == expected_fingerprint(locked, heads):
            after, before = row.finished_at, None
        elif row.fingerprint != fingerprint:
            before = None
        elif before is None:
            before = row.finished_at
    return Since(after, before)


def _read(
    connection: Connection, privileges: bool, project: Project
) -> tuple[tuple[str, ...], Sequence[Row], Catalog, Casts]:
    version_table = project.version_table
    at, ledger = heads_of(connection, version_table), Ledger(version_table)
    # A role that may not read the ledger gets an undated drift.
    readable = ledger.exists(connection) and connection.scalar(
        text(_MAY_READ), {"name": version_table.ledger}
    )
    rows = ledger.read(connection) if readable else ()
    return at, rows, _catalog(connection, privileges, project), casts(connection)


def _elsewhere(connection: Connection, project: Project) -> Mapping[str, str]:
    """The relations in the schema that new objects get, where that is not the project's first."""
    if not project.schemas:
        return {}
    found = connection.execute(_ELSEWHERE, {"first": project.schemas[0]})
    return {row.relname: row.nspname for row in found}


def _misplaced(
    different: Iterable[Deviation], others: Mapping[str, str], project: Project
) -> str | None:
    """The sentences about a missing relation that is in the schema which new objects get."""
    missing = (each.key.name for each in different if each.word == "missing")
    name = next((each for each in missing if each in others), None)
    if name is None:
        return None
    there, first = others[name], project.schemas[0]
    return (
        f"{name} is in the schema {there}, where this database creates what has no schema in its "
        f"name; the project compares {first}, the first of its schemas. Run no fix before both are "
        f'the same: Environment(schemas=["{there}", …]), or a search_path of the role that begins '
        f"with {first}"
    )


def _catalog(connection: Connection, privileges: bool, project: Project) -> Catalog:
    table = project.version_table
    return snapshot(connection, project.schemas, privileges=privileges, version_table=table)


def of_metadata(
    connection: Connection, metadata: Sequence[MetaData], project: Project
) -> tuple[Deviation, ...]:
    """The deviations of the models from a scratch database at head; autogenerate compares them."""
    context = MigrationContext.configure(connection)
    options: dict[str, Any] = {**project.filters, PROJECT: project.filters}
    if project.schemas:
        options = {"include_schemas": True, **options}
        seen, named = options.get("include_name", lambda *_: True), (None, *project.schemas)
        options["include_name"] = lambda name, kind, of: (
            seen(name, kind, of) and (kind != "schema" or name in named)
        )
    models = AutogenContext(context, list(metadata), options, autogenerate=False)
    exclude = (*project.exclude, *project.version_table.relations)
    comparison = compare(models, exclude, project.manages, strict=True)
    assert comparison is not None  # where it is strict
    found = deviations(comparison.models, comparison.database, comparison.casts)
    return tuple(
        replace(
            each,
            key=Key(each.key.kind, shown(each.key.name)),
            members=tuple(Key(kind, shown(name)) for kind, name in each.members),
        )
        for each in found
    )
