"""Snapshot is the schema as a session sees it, with the session's locks and row counts.

One query reads it between two statements. Objects are identified by oid, so a rename is not seen
as one object dropped and another one created.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import asyncpg

from surefoot.frozen import dataclass
from surefoot.trace.provision_query import LAST_OF_SERVER, PROVISIONS, rights
from surefoot.trace.schema_objects import (
    Activity,
    Column,
    Constraint,
    Index,
    Label,
    Named,
    Provision,
    Relation,
)

_T = TypeVar("_T")
# The tables of which rows were read or written since PostgreSQL last flushed the statistics of the
# session, and how many; pages of large objects are rows of a system table.
_ACTIVE = f"""
SELECT x.relid, x.seq_scan, x.seq_tup_read, coalesce(x.idx_tup_fetch, 0) AS fetched, x.n_tup_ins,
    x.n_tup_upd, x.n_tup_del, coalesce(x.idx_scan, 0) - k.keys AS probes, k.keys
FROM pg_stat_xact_user_tables x, LATERAL (
    SELECT coalesce(sum(pg_stat_get_xact_numscans(indexrelid)), 0)::bigint AS keys FROM pg_index
    WHERE indrelid = relid AND indisunique) AS k WHERE x.relid > {LAST_OF_SERVER} AND 0 < x.seq_scan
    + coalesce(x.idx_scan, 0) + x.n_tup_ins + x.n_tup_upd + x.n_tup_del
UNION ALL SELECT oid, 0, 0, 0, inserted, updated, deleted, 0, 0 FROM (SELECT oid,
    pg_stat_get_xact_tuples_inserted(oid) AS inserted,
    pg_stat_get_xact_tuples_updated(oid) AS updated, pg_stat_get_xact_tuples_deleted(oid) AS deleted
    FROM (SELECT 'pg_largeobject'::regclass::oid AS oid) AS o) AS pages
WHERE inserted + updated + deleted > 0
"""  # noqa: S608 - a constant
_ROWS = """json_agg(json_build_array(relid::bigint, seq_scan, seq_tup_read, fetched, n_tup_ins,
    n_tup_upd, n_tup_del, probes, keys))"""
ACTIVITY = f"SELECT {_ROWS}::text FROM ({_ACTIVE}) AS active"  # noqa: S608 - constants
# The settings that the session has changed, and its role, which pg_settings does not list; and as
# if they were settings, what else may outlive a transaction: its advisory locks, its cursors, and
# its temporary tables that have the name of another one.
SESSION = """
SELECT json_build_array(
    (extract(epoch FROM current_setting('lock_timeout')::interval) * 1000)::bigint,
    (SELECT json_object_agg(name, setting) FROM (
        SELECT name, setting FROM pg_settings WHERE source = 'session'
        AND name <> 'lock_timeout' AND setting IS DISTINCT FROM reset_val
        UNION ALL VALUES ('role', current_setting('role')),
            ('session_authorization', session_user::text)
        UNION ALL SELECT 'advisory lock ' || CASE objsubid
            WHEN 1 THEN ((classid::bigint << 32) | objid::bigint)::text
            ELSE concat_ws(', ', classid, objid) END, 'taken'
        FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND granted
        UNION ALL SELECT 'cursor ' || name, 'open' FROM pg_cursors WHERE is_holdable
        UNION ALL SELECT 'temporary table ' || t.relname, 'hides'
        FROM pg_class t WHERE pg_my_temp_schema() <> 0 AND relnamespace = pg_my_temp_schema()
        AND EXISTS (SELECT FROM pg_class c WHERE c.relname = t.relname
            AND c.relpersistence <> 't' AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
    ) AS s))::text
"""
_RIGHTS = rights("relacl", """CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char\"""", "relowner")
# Options by which autovacuum comes never, or hardly ever.
_RARE = r"'^autovacuum_(enabled=(f|of|n|0)|(vacuum|analyze)_(threshold=\d{9}|scale_factor=\d{2}))'"
# Rows of a large catalog that are asked for: all, or those that this transaction has written.
_CHANGED = "(:all OR age({}) <= age(pg_current_xact_id_if_assigned()::xid))"
# pg_stat_force_next_flush: the statistics are flushed as soon as the transaction ends, not after a
# second, so that the next transaction starts at zero.
_SNAPSHOT = f"""
WITH spaces AS (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'
), relations AS (
    SELECT c.*, c.xmin AS written, s.nspname FROM pg_class c JOIN spaces s ON s.oid = c.relnamespace
    WHERE c.oid > {LAST_OF_SERVER}
), active AS MATERIALIZED ({_ACTIVE})
SELECT json_build_object(
    'relations', (SELECT json_agg(json_build_array(
            oid::bigint, nspname, relname, relkind, relfilenode::bigint, relpersistence,
            relowner::bigint, relrowsecurity,
            (SELECT coalesce(array_agg(inhparent::bigint), '{{}}') FROM pg_inherits
             WHERE inhrelid = r.oid AND NOT inhdetachpending),
            CASE WHEN relkind IN ('r', 'm') THEN pg_relation_size(oid) ELSE 0 END,
            relforcerowsecurity, relreplident,
            CASE WHEN relkind NOT IN ('i', 'I') THEN {_RIGHTS} END,
            CASE relkind WHEN 'S' THEN (
                SELECT json_build_array(seqmax, seqmin, seqincrement, seqcycle) FROM pg_sequence
                WHERE seqrelid = r.oid) END,
            CASE relkind WHEN 'S' THEN (SELECT refobjid::bigint FROM pg_depend WHERE objid = r.oid
                AND classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
                AND deptype IN ('a', 'i') LIMIT 1) END,
            CASE relkind WHEN 'v' THEN EXISTS (SELECT FROM unnest(reloptions) AS o
                WHERE o ~* '^security_invoker=(t|on|y|1)') END,
            CASE WHEN relkind IN ('r', 'm') THEN EXISTS (SELECT FROM unnest(reloptions
                || (SELECT t.reloptions FROM pg_class t WHERE t.oid = r.reltoastrelid)) AS o
                WHERE o ~* {_RARE}) END,
            CASE relkind WHEN 'v' THEN pg_relation_is_updatable(oid, true) END,
            CASE relkind WHEN 'v' THEN EXISTS (SELECT FROM unnest(reloptions) AS o
                WHERE o ~* '^check_option=') END,
            CASE relkind WHEN 'm' THEN relispopulated END))
        FROM relations r WHERE {_CHANGED.format("written")}
        OR oid IN (SELECT seqrelid FROM pg_sequence q WHERE {_CHANGED.format("q.xmin")})
        OR oid IN (SELECT attrelid FROM pg_attribute a WHERE {_CHANGED.format("a.xmin")})
        OR oid IN (SELECT relid FROM active WHERE n_tup_ins > 0)),
    'relation_oids', (SELECT json_agg(oid::bigint) FROM relations WHERE NOT :all),
    'columns', (SELECT json_agg(json_build_array(
            attrelid::bigint, attnum, CASE WHEN NOT attisdropped THEN attname END,
            format_type(atttypid, atttypmod), atttypid::bigint,
            n.collname, attnotnull, pg_get_expr(d.adbin, d.adrelid), attidentity, attgenerated,
            CASE WHEN attacl IS NOT NULL THEN {rights("attacl", "'c'", "0")} END,
            attstorage = 'p' AND (SELECT typstorage <> 'p' FROM pg_type t WHERE t.oid = atttypid)))
        FROM pg_attribute a
        JOIN relations r ON r.oid = attrelid AND r.relkind IN ('r', 'p', 'f', 'v', 'm')
        LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
        LEFT JOIN pg_collation n ON n.oid = attcollation AND n.collname <> 'default'
        WHERE attnum > 0 AND NOT (attisdropped AND :all) AND {_CHANGED.format("a.xmin")}),
    'constraints', (SELECT json_agg(json_build_array(
            c.oid::bigint, conname, contype, conrelid::bigint, confrelid::bigint, convalidated,
            conindid::bigint, coalesce(conkey, '{{}}'), contypid::bigint, conparentid::bigint,
            CASE contype WHEN 'c' THEN pg_get_constraintdef(c.oid) END, condeferrable,
            contype NOT IN ('c', 'f') OR pg_get_constraintdef(c.oid) NOT LIKE '% NOT ENFORCED',
            conexclop IS NOT NULL))
        FROM pg_constraint c JOIN spaces s ON s.oid = connamespace
        WHERE c.oid > {LAST_OF_SERVER} AND contype <> 't' AND {_CHANGED.format("c.xmin")}),
    'constraint_oids', (SELECT json_agg(oid::bigint) FROM pg_constraint WHERE NOT :all),
    'indexes', (SELECT json_agg(json_build_array(
            indexrelid::bigint, indrelid::bigint, indisunique, indisprimary, indisvalid,
            indkey::smallint[], indpred IS NOT NULL, indimmediate))
        FROM pg_index i JOIN relations r ON r.oid = indexrelid WHERE {_CHANGED.format("i.xmin")}),
    'provisions', ({PROVISIONS}),
    'labels', (SELECT json_agg(json_build_array(e.oid::bigint, enumtypid::bigint, enumlabel))
        FROM pg_enum e JOIN pg_type t ON t.oid = enumtypid
        JOIN spaces s ON s.oid = typnamespace WHERE t.oid > {LAST_OF_SERVER}),
    'types', (SELECT json_agg(json_build_array(t.oid::bigint, s.nspname, typname, typtype,
            typnotnull, CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod) END))
        FROM pg_type t JOIN spaces s ON s.oid = typnamespace
        WHERE t.oid > {LAST_OF_SERVER} AND typtype IN ('d', 'e')),
    'schemas', (SELECT json_agg(json_build_array(oid::bigint, nspname, nspname)) FROM spaces),
    'routines', (SELECT json_agg(json_build_array(p.oid::bigint, s.nspname, proname,
            CASE WHEN provolatile = 'v' AND lanname NOT IN ('c', 'internal')
            THEN lanname ELSE '' END))
        FROM pg_proc p JOIN spaces s ON s.oid = pronamespace JOIN pg_language l ON l.oid = prolang
        WHERE p.oid > {LAST_OF_SERVER} AND NOT EXISTS (SELECT FROM pg_depend
            WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')),
    'activity', (SELECT {_ROWS} FROM active),
    'locks', (SELECT json_agg(json_build_array(relation::bigint, mode)) FROM pg_locks
        WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
        AND relation > {LAST_OF_SERVER}),
    'session', ({SESSION})::json,
    'counted_at_the_end', pg_stat_force_next_flush()
)::text
"""  # noqa: S608 - all parts are constants
# Of all, or of what this transaction has written. Texts of their own: a parameter would be planned
# each time, which takes as long as to read a hundred tables.
SNAPSHOT, CHANGES = (_SNAPSHOT.replace(":all", word) for word in ("true", "false"))
# A third of the time of a session's first one is spent on planning for provisions.
_UNPROVIDED = SNAPSHOT.replace(f"({PROVISIONS})", "NULL")


@dataclass(frozen=True)
class Settings:
    """The lock timeout of a session, and the other settings that it has changed."""

    lock_timeout_ms: int
    changed: Mapping[str, str]

    @property
    def locks(self) -> frozenset[str]:
        """Its advisory locks."""
        return frozenset(name for name in self.changed if name.startswith("advisory lock"))

    def differences(self, other: Settings) -> Mapping[str, str]:
        """The settings that differ, but the lock timeout; one that is as at connect is empty."""
        mine, its = self.changed, other.changed
        names = sorted({*mine, *its})
        return {name: mine.get(name, "") for name in names if mine.get(name) != its.get(name)}


@dataclass(frozen=True)
class Snapshot:
    """A schema, with the locks and the activity of the session that reads it."""

    relations: Mapping[int, Relation]
    columns: Mapping[tuple[int, int], Column]
    constraints: Mapping[int, Constraint]
    indexes: Mapping[int, Index]
    provisions: Mapping[tuple[str, int], Provision]
    labels: Mapping[int, Label]
    types: Mapping[int, Named]
    schemas: Mapping[int, Named]
    routines: Mapping[int, Named]
    activity: Mapping[int, Activity]
    locks: frozenset[tuple[int, str]]
    session: Settings

    @cached_property
    def _by_table(self) -> Mapping[int, tuple[list[Column], list[Constraint]]]:
        found: dict[int, tuple[list[Column], list[Constraint]]] = {}
        for _, column in sorted(self.columns.items()):
            found.setdefault(column.relation, ([], []))[0].append(column)
        for constraint in self.constraints.values():
            if constraint.kind == "f":
                found.setdefault(constraint.relation, ([], []))[1].append(constraint)
        return found

    def columns_of(self, oid: int) -> Sequence[Column]:
        """The columns of a table, in their order."""
        return self._by_table.get(oid, ((), ()))[0]

    def references(self, oid: int) -> Sequence[Constraint]:
        """The foreign keys of a table."""
        return self._by_table.get(oid, ((), ()))[1]

    @property
    def column_names(self) -> frozenset[str]:
        """Every column as `table.column`."""
        return frozenset(
            f"{self.relations[c.relation].label}.{c.name}" for c in self.columns.values()
        )


# The objects of a document that are identified by their first value.
_KINDS = {
    "relations": Relation,
    "constraints": Constraint,
    "indexes": Index,
    "labels": Label,
    **dict.fromkeys(("types", "schemas", "routines"), Named),
    "activity": Activity,
}
# A list inside a row is a tuple: Snapshots are compared and kept.
_LISTS = {"relations": (8, 12), "columns": (10,), "constraints": (7,), "indexes": (5,)}


def read_settings(document: str) -> Settings:
    """The result of SESSION."""
    return Settings(*json.loads(document))


def read_activity(document: str | None) -> Mapping[int, Activity]:
    """The result of ACTIVITY, by table."""
    return {row[0]: Activity(*row) for row in json.loads(document or "[]")}


async def take(connection: asyncpg.Connection) -> Snapshot:
    """The Snapshot of a session, without provisions: for sample rows, which need none."""
    return read_snapshot(await connection.fetchval(_UNPROVIDED))


def read_snapshot(document: str, former: Snapshot | None = None) -> Snapshot:
    """The result of SNAPSHOT; with a former one, that of CHANGES."""
    found: dict[str, Any] = json.loads(document)

    def rows(name: str) -> list[list[Any]]:
        return found[name] or []

    for name, places in _LISTS.items():
        for row in rows(name):
            for place in places:
                row[place] = tuple(row[place] or ())
    named: dict[str, Any] = {
        name: {row[0]: kind(*row) for row in rows(name)} for name, kind in _KINDS.items()
    }
    columns = {(row[0], row[1]): Column(*row) for row in rows("columns")}
    if former is not None:
        oids, constraints = set(rows("relation_oids")), set(rows("constraint_oids"))
        named["relations"] = _merged(former.relations, named["relations"], oids)
        named["indexes"] = _merged(former.indexes, named["indexes"], oids)
        named["constraints"] = _merged(former.constraints, named["constraints"], constraints)
        columns = {**former.columns, **columns}
        for key in [k for k, c in columns.items() if k[0] not in oids or c.name is None]:
            del columns[key]
    return Snapshot(
        **named,
        columns=columns,
        provisions={(row[0], row[1]): Provision(*row) for row in rows("provisions")},
        locks=frozenset((relation, mode) for relation, mode in rows("locks")),
        session=Settings(*found["session"]),
    )


def _merged(former: Mapping[int, _T], changed: Mapping[int, _T], oids: set[Any]) -> dict[int, _T]:
    """The objects that are still there, as they are now."""
    return {oid: each for oid, each in {**former, **changed}.items() if oid in oids}
