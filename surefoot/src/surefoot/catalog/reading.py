"""snapshot reads schemas into a Catalog."""

import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import Connection, text

from surefoot.catalog.kinds import KINDS, SchemaObject, Value, View
from surefoot.catalog.model import NAMED_IN_TABLE, Catalog, Key
from surefoot.catalog.normal_form import settled, view_definition
from surefoot.catalog.queries import DEPENDENCIES, MIGRATES, OBJECTS, PRIVILEGES
from surefoot.quoting import APART, own_name, qualified, quoted
from surefoot.version_table import VersionTable

_log = logging.getLogger(__name__)

_MADE = re.compile(r"^(CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|STATISTICS) )")
# Attributes with names of the schema; attributes with expressions in them.
_NAMES = ("key", "name", "owned_by", "relation", "table")
_EXPRESSIONS = frozenset({"arguments", "default", "definition", "generated", "partition_key"})
# The schema comes first, so that PostgreSQL writes its names without a schema. The schemas of
# extensions follow, for the same effect: a citext of `public` reads the same from another schema.
_SEARCH_PATH = """
SELECT set_config('search_path', concat_ws(', ', quote_ident(s.schema), (
    SELECT string_agg(DISTINCT quote_ident(n.nspname), ', ')
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE n.nspname NOT IN ('pg_catalog', s.schema)
    AND (NOT :searched OR n.nspname = ANY (current_schemas(false)))
    AND NOT n.nspname = ANY (CAST(:apart AS text[])))), true),
    current_setting('server_version_num')::int, s.schema
FROM (SELECT coalesce(CAST(:schema AS text), current_schema(), 'public') AS schema) s
"""
# Other values of these make PostgreSQL write the same definition in another way, or in an encoding
# that asyncpg does not read. With jit PostgreSQL would compile the plan for longer than it runs.
_SETTINGS = """
SELECT set_config(name, value, true) FROM (VALUES
    ('quote_all_identifiers', 'off'), ('standard_conforming_strings', 'on'), ('TimeZone', 'UTC'),
    ('DateStyle', 'ISO, MDY'), ('IntervalStyle', 'postgres'), ('extra_float_digits', '1'),
    ('bytea_output', 'hex'), ('xmlbinary', 'base64'), ('lc_monetary', 'C'),
    ('client_encoding', 'UTF8'), ('jit', 'off')) AS s (name, value)
"""

# Parameters that a person can set; a server may keep notes of its own beside them.
_OPTIONS = frozenset(  # and autovacuum_…
    {
        *("autosummarize", "buffering", "check_option", "deduplicate_items", "fastupdate"),
        *("fillfactor", "gin_pending_list_limit", "log_autovacuum_min_duration", "n_distinct"),
        *("n_distinct_inherited", "pages_per_range", "parallel_workers", "security_barrier"),
        *("security_invoker", "toast_tuple_target", "user_catalog_table", "vacuum_index_cleanup"),
        *("vacuum_max_eager_freeze_failure_rate", "vacuum_truncate"),
    }
)
_CASTS = text(
    "SELECT format_type(castsource, NULL), format_type(casttarget, NULL), castcontext::text "
    "FROM pg_cast"
)


def casts(connection: Connection) -> dict[tuple[str, str], str]:
    """How PostgreSQL casts from one type to another: `i` unasked, `a` on assignment, or `e`."""
    found = connection.execute(_CASTS)
    return {(source, target): how for source, target, how in found}


def fingerprint(
    connection: Connection,
    schemas: str | Sequence[str] = (),
    version_table: VersionTable = VersionTable(),
    exclude: Collection[str] = (),
) -> str:
    """The fingerprint of the catalog of the schemas; see snapshot."""
    found = snapshot(connection, schemas, exclude=exclude, version_table=version_table, uses=False)
    return found.fingerprint()


def snapshot(
    connection: Connection,
    schemas: str | Sequence[str] = (),
    *,
    exclude: Collection[str] = (),
    privileges: bool = False,
    version_table: VersionTable = VersionTable(),
    beside: Sequence[str] = (),
    apart: Sequence[str] = (),
    searched: bool = False,
    uses: bool = True,
) -> Catalog:
    """Read the catalog of the schemas, except the relations named in `exclude`.

    Without a name it is the schema that new objects get: the first of the search path, or
    `public`. The objects of the schemas `beside` it are in the same catalog, by names with a
    schema. The version table and the ledger are no part of it. With `privileges`, owners and
    privileges are read too.

    What an extension has is named without a schema; with it in the schemas `apart` and, when
    `searched`, in those that the session does not search: a statement has to name it so. Without
    `uses` the objects that an object needs are not read.

    Nothing is written, no lock but ACCESS SHARE is taken, and the settings are restored. A
    transaction of the caller stays open.
    """
    schema, *further = (schemas,) if isinstance(schemas, str) else (*schemas,) or (None,)
    began = not connection.in_transaction()
    others: dict[str, Catalog] = {}
    owner: str | None = None
    rows: list[tuple[str, Sequence[Any]]]
    needs: list[Any]
    may: list[Any]
    try:
        # The settings are made in a savepoint: the rollback restores them, also after an error.
        with connection.begin_nested() as savepoint:
            if privileges:
                owner = connection.scalar(text(MIGRATES), {"table": version_table.quoted})
            connection.execute(text(_SETTINGS))
            given = {"schema": schema, "searched": searched, "apart": [*apart]}
            _, version, schema = connection.execute(text(_SEARCH_PATH), given).one()
            rows, needs, may = [], [], []
            for name in (schema, *beside):
                of = {"schema": name}
                read = connection.execute(text(OBJECTS), of).all()
                rows.append(("" if name == schema else f"{name}{APART}", read))
                if uses:
                    needs += connection.execute(text(DEPENDENCIES), of).all()
                if privileges:
                    may += connection.execute(text(PRIVILEGES), {**of, "owner": owner}).all()
            savepoint.rollback()
        for name in filter(None, further):
            other = snapshot(
                connection, name, exclude=exclude, privileges=privileges,
                version_table=version_table, uses=uses,
            )  # fmt: skip
            # Extensions are objects of the database.
            of_schema = {
                key: each for key, each in other.objects.items() if key.kind != "extension"
            }
            others[name] = replace(other, objects=of_schema)
    finally:
        if began:
            connection.rollback()
    parsed = [each for prefix, read in rows for each in _parsed(prefix, read)]
    found, keys = _objects(parsed, {*exclude}, {*version_table.relations}, server_version=version)
    objects = dict(found.objects)
    for kind, oid, part, of, who in may:
        if (key := keys.get((kind, oid, part))) is not None:
            granted = tuple(sorted(who)) if who else None
            objects[key] = replace(objects[key], owner=of, privileges=granted)
    return replace(found, objects=objects, uses=_uses(needs, keys), owner=owner, others=others)


def _parsed(prefix: str, rows: Iterable[Any]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The rows of one schema, with names that begin with `prefix`."""
    for kind, place, read in rows:
        given: dict[str, Any] = json.loads(read) if isinstance(read, str) else read
        if prefix and kind == "extension":
            continue  # an object of the database, which each schema lists
        of_schema = ("table",) if kind in NAMED_IN_TABLE else _NAMES
        given |= {each: f"{prefix}{given[each]}" for each in of_schema if given.get(each)}
        if prefix and kind in ("function", "statistics"):
            given["definition"] = _MADE.sub(
                lambda made: f"{made[1]}{quoted(prefix[:-1])}.", given["definition"]
            )
        yield kind, place, given


def _objects(
    rows: Iterable[tuple[str, int, dict[str, Any]]],
    exclude: Collection[str],
    bookkeeping: Collection[str],
    *,
    server_version: int,
) -> tuple[Catalog, Mapping[tuple[int, int, int], Key]]:
    """The objects, and the key of each address in pg_depend."""
    objects: dict[Key, SchemaObject] = {}
    keys: dict[tuple[int, int, int], Key] = {}
    columns: dict[str, dict[int, str]] = {}
    for usual, place, given in sorted(rows, key=lambda row: str(row[2].get("table"))):
        kind, part = given.pop("object", None) or usual, given.pop("part", 0)
        name, table, oid = given["name"], given.get("table"), int(given.pop("oid"))
        key = Key(kind, given.pop("key", f"{table}.{name}" if kind in NAMED_IN_TABLE else name))
        its = {key.name, given.pop("relation", table or key.name)}
        if its & {*exclude} or {*map(own_name, its)} & {*bookkeeping}:
            continue
        if key in objects:
            # A dot in a name: column c of table a.b, and column b.c of table a.
            key = Key(kind, qualified(table or "", name))
        if table and part:
            columns.setdefault(table, {})[part] = name
        values: Any = {attribute: _value(attribute, value) for attribute, value in given.items()}
        item = KINDS[kind](**values)
        if isinstance(item, View):
            item = replace(item, definition=view_definition(item.definition, server_version))
        objects[key] = item
        keys[int(place), oid, part] = key
    order = {
        table: tuple(names[each] for each in sorted(names)) for table, names in columns.items()
    }
    return Catalog({key: objects[key] for key in sorted(objects)}, order), keys


def _uses(
    rows: Iterable[Any], keys: Mapping[tuple[int, int, int], Key]
) -> Mapping[Key, frozenset[Key]]:
    def key(place: int, oid: int, column: int) -> Key | None:
        # Columns of views are no objects of their own: a user of one uses the view.
        return keys.get((place, oid, column)) or keys.get((place, oid, 0))

    found: dict[Key, set[Key]] = {}
    for row in rows:
        user, used = key(*row[:3]), key(*row[3:])
        if user is not None and used is not None and user != used:
            found.setdefault(user, set()).add(used)
    return {user: frozenset(found[user]) for user in sorted(found)}


def _value(attribute: str, value: Any) -> Value:
    if isinstance(value, list):
        kept = (str(each) for each in value)
        if attribute.endswith("options"):
            kept = (each for each in kept if is_compared(each.partition("=")[0]))
        found = tuple(map(settled, kept) if attribute == "checks" else kept)
        return found or None
    if value is None or isinstance(value, bool):
        return value
    return settled(str(value)) if attribute in _EXPRESSIONS else str(value)


@cache
def is_compared(option: str) -> bool:
    """Whether a storage parameter is compared; the first one that is not is logged."""
    known = option in _OPTIONS or option.startswith("autovacuum_")
    if not known:
        _log.warning(
            "the server has a storage parameter %s, which this version does not compare", option
        )
    return known
