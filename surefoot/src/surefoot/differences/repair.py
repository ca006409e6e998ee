"""The SQL that would repair an object. It is printed and never run.

    Difference x both catalogs -> Repair

Run each statement by itself: some are concurrent, and refuse to run in a transaction.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Collection, Mapping
from typing import cast

from surefoot.catalog import Catalog, Difference, Key, alterations, statements
from surefoot.catalog.definitions import check_name, index_statement
from surefoot.catalog.kinds import (
    Attribute,
    Attributes,
    Column,
    Constraint,
    Domain,
    Enum,
    EventTrigger,
    Index,
    Names,
    Partition,
    Routine,
    Rule,
    Sequence,
    Statistics,
    Trigger,
    View,
)
from surefoot.catalog.order import in_order
from surefoot.differences import columns, online_ddl, relations
from surefoot.differences.grants import granted
from surefoot.differences.model import Repair
from surefoot.quoting import literal, quoted

# Dropping one of these loses data.
_HOLDS_DATA = frozenset({"table", "column", "partition", "sequence"})
_NOT_KNOWN = "the catalog knows only its name; see the revision that creates it"
_WAITS = "it may rewrite the table under ACCESS EXCLUSIVE; reads and writes block meanwhile"
_REWRITES: Mapping[str, Attributes] = {
    "column": frozenset({"type", "collation", "generated"}),
    "table": frozenset({"persistence"}),
}
_GRANTS = "privileges on it are lost: compare `drift --privileges` before and after"
_GRANTED = frozenset({"view", "materialized view", "function", "procedure", "aggregate"})
_NEEDED = "a table or a column depends on it; change it in a revision"

Alter = Callable[[Key, Catalog, Catalog, Attributes], "list[str] | None"]


def make(key: Key, members: Collection[Key], expected: Catalog) -> Repair:
    """Create a missing object with its members."""
    item = expected.objects[key]
    note = None
    if key.kind in statements.NAMED_IN_SQL:
        return Repair(note=_NOT_KNOWN)
    if isinstance(item, Column):
        sql, note = columns.added(item)
    elif key.kind == "table":
        sql = online_ddl.make(key, expected)
        note = "its rows do not come back"
    else:
        sql = online_ddl.make(key, expected)
    if key.kind in ("table", "column", "partition"):
        sql += relations.settings(key, expected)
    before, after = [], []
    for member in in_order(members, expected.uses):
        if member.kind == "column":
            after += relations.settings(member, expected)
        elif member.kind == "sequence":
            # The default of the column needs the sequence, and the sequence is owned by the column.
            made = statements.create(member, expected.objects[member])
            before.append(made[0])
            after += made[1:]
        else:
            after += online_ddl.make(member, expected)
    # These name an index of the table, which must exist.
    last = relations.by_index(key, expected) if key.kind == "table" else []
    return Repair((*before, *sql, *after, *last), note=note)


def remove(key: Key, found: Catalog) -> Repair:
    """Drop an unexpected object, without CASCADE."""
    if key.kind == "partition":
        parent = quoted(found.one(Partition, key).table)
        detach = f"ALTER TABLE {parent} DETACH PARTITION {quoted(key.name)}"
        return Repair((detach, f"DROP TABLE {quoted(key.name)}"), loses_data=True)
    return Repair(tuple(online_ddl.unmake(key, found)), loses_data=key.kind in _HOLDS_DATA)


def attach(key: Key, expected: Catalog) -> Repair:
    """Attach a detached partition."""
    partition = expected.one(Partition, key)
    table = f"ALTER TABLE {quoted(partition.table)}"
    return Repair((f"{table} ATTACH PARTITION {quoted(key.name)} {partition.bound}",))


def detach(key: Key, found: Catalog) -> Repair:
    """Detach a table that became a partition of another."""
    table = f"ALTER TABLE {quoted(found.one(Partition, key).table)}"
    return Repair((f"{table} DETACH PARTITION {quoted(key.name)}",))


def validate(key: Key, found: Catalog) -> Repair:
    """Validate a constraint."""
    return Repair((statements.validate(found.one(Constraint, key)),))


def change(differences: abc.Sequence[Difference], expected: Catalog, found: Catalog) -> Repair:
    """Restore the attributes of an object that differ."""
    key = Key(differences[0].kind, differences[0].name)
    # The order of columns is no attribute, and is never compared here.
    names = frozenset(cast("Attribute", each.attribute) for each in differences)
    given = granted(key, expected, found)
    alter = _ALTER.get(key.kind)
    rest = names - {"comment", "owner", "privileges"}
    sql: list[str] | None = []
    if rest:
        sql = alter(key, expected, found, rest) if alter else None
        if sql is None:
            sql = online_ddl.remade(key, expected, found)
            if sql is not None:
                # Creating it again sets its comment too.
                return Repair((*sql, *given), note=_GRANTS if key.kind in _GRANTED else None)
    if sql is None:
        return Repair(note=_why(key))
    if "comment" in names:
        sql.append(statements.comment(key, expected.objects[key]))
    waits = names & _REWRITES.get(key.kind, frozenset())
    return Repair((*sql, *given), note=_WAITS if waits else None)


def _why(key: Key) -> str:
    if key.kind == "enum":
        return "PostgreSQL removes no value from an enum; use op.replace_enum in a revision"
    if key.kind == "table":
        return "no statement changes this of a table; replace the table in a revision"
    return _NEEDED


def _constraint(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    before, after = found.one(Constraint, key), expected.one(Constraint, key)
    if names & {"definition", "type"} or ("validated" in names and not after.validated):
        return None
    sql = []
    if "validated" in names:
        sql.append(statements.validate(after))
    for table in _off_on(before):
        sql.append(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
        sql += [
            statements.enable_trigger(each)
            for each in expected.of_table(Trigger, table.strip('"')).values()
            if each.enabled != "yes"
        ]
    for table in _off_on(after):
        sql.append(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    index = f"ALTER INDEX {quoted(after.name)}"
    sql += _clauses(index, before.index_options, after.index_options)
    if "index validity" in names:
        sql.append(f"REINDEX INDEX CONCURRENTLY {quoted(after.name)}")
    return sql


def _off_on(constraint: Constraint) -> list[str]:
    """The tables on which a constraint is not enforced."""
    return [each.removeprefix("off on ") for each in constraint.enforcement or ()]


def _index(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    before, after = found.one(Index, key), expected.one(Index, key)
    name = quoted(after.name)
    if "table" in names or ("valid" in names and not after.valid):
        return None
    if names & {"definition", "unique"}:
        if online_ddl.is_partitioned(found, before.table):
            return None
        temporary = f"{after.name[:58]}_new"
        sql = [
            index_statement(after.definition, concurrently=True, name=temporary),
            f"DROP INDEX CONCURRENTLY {name}",
            f"ALTER INDEX {quoted(temporary)} RENAME TO {name}",
        ]
        return [*sql, *([statements.comment(key, after)] if after.comment else [])]
    sql = [f"REINDEX INDEX CONCURRENTLY {name}"] if "valid" in names else []
    old = dict(each.split() for each in before.statistics or ())
    new = dict(each.split() for each in after.statistics or ())
    for column in sorted({*old, *new}):
        if old.get(column) != new.get(column):
            target = new.get(column, "-1")
            sql.append(f"ALTER INDEX {name} ALTER COLUMN {column} SET STATISTICS {target}")
    return sql


def _sequence(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str]:
    after = expected.one(Sequence, key)
    sql = [alterations.sequence(after)] if "definition" in names else []
    return [*sql, *([alterations.own(after)] if "owned by" in names else [])]


def _enum(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    old, new = found.one(Enum, key).values, expected.one(Enum, key).values
    enum = f"ALTER TYPE {quoted(key.name)}"
    gone = [label for label in old if label not in new]
    missing = [label for label in new if label not in old]
    if len(gone) == len(missing) == 1 and old.index(gone[0]) == new.index(missing[0]):
        return [f"{enum} RENAME VALUE {literal(gone[0])} TO {literal(missing[0])}"]
    if gone or [label for label in new if label in old] != list(old):
        return None
    sql = []
    for place, label in enumerate(new):
        if label not in old:
            where = f" AFTER {literal(new[place - 1])}" if place else ""
            where = where or (f" BEFORE {literal(old[0])}" if old else "")
            sql.append(f"{enum} ADD VALUE {literal(label)}{where}")
    return sql


def _domain(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    before, after = found.one(Domain, key), expected.one(Domain, key)
    if names - {"default", "not null", "checks"}:
        return None
    domain = f"ALTER DOMAIN {quoted(after.name)}"
    sql = alterations.relaxed_domain(before, after)
    if after.not_null and not before.not_null:
        sql.append(f"{domain} SET NOT NULL")
    for check in alterations.added_checks(before, after):
        if check.endswith(" NOT VALID"):
            sql.append(f"{domain} ADD CONSTRAINT {check}")
        else:
            sql.append(f"{domain} ADD CONSTRAINT {check} NOT VALID")
            sql.append(f"{domain} VALIDATE CONSTRAINT {check_name(check)}")
    return sql


def _view(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    before, after = found.one(View, key), expected.one(View, key)
    if names & {"definition", "columns"}:
        old, new = before.columns or (), after.columns or ()
        if key.kind == "materialized view" or new[: len(old)] != old:
            return None
        made = statements.create(key, after)[0]
        sql = [made.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)]
    else:
        alter = f"ALTER {key.kind.upper()} {quoted(after.name)}"
        sql = _clauses(alter, before.options, after.options)
    return [*sql, *relations.column_comments(before, after)]


def _routine(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    if names - {"definition", "language"}:
        return None
    return [expected.one(Routine, key).definition.rstrip()]


def _trigger(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    alter = statements.enable_trigger(expected.one(Trigger, key))
    return [alter] if names == {"enabled"} else None


def _event_trigger(
    key: Key, expected: Catalog, found: Catalog, names: Attributes
) -> list[str] | None:
    word = statements.TRIGGER_STATES.get(expected.one(EventTrigger, key).enabled, "ENABLE")
    return [f"ALTER EVENT TRIGGER {quoted(key.name)} {word}"] if names == {"enabled"} else None


def _rule(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    after = expected.one(Rule, key)
    word = statements.TRIGGER_STATES.get(after.firing or "", "ENABLE")
    alter = f"ALTER TABLE {quoted(after.table)} {word} RULE {quoted(after.name)}"
    return [alter] if names == {"firing"} else None


def _statistics(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    target = expected.one(Statistics, key).target or "-1"
    alter = f"ALTER STATISTICS {quoted(key.name)} SET STATISTICS {target}"
    return [alter] if names == {"target"} else None


def _clauses(alter: str, before: Names | None, after: Names | None) -> list[str]:
    return [f"{alter} {clause}" for clause in alterations.options(before, after)]


_ALTER: Mapping[str, Alter] = {
    "table": relations.table,
    "partition": relations.partition,
    "column": columns.changed,
    "constraint": _constraint,
    "index": _index,
    "sequence": _sequence,
    "enum": _enum,
    "domain": _domain,
    "view": _view,
    "materialized view": _view,
    "function": _routine,
    "procedure": _routine,
    "trigger": _trigger,
    "event trigger": _event_trigger,
    "rule": _rule,
    "statistics": _statistics,
}
