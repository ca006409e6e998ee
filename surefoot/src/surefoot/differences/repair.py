"""The SQL that would repair an object. It is printed and never run.

    Difference x both catalogs -> Repair

Run each statement by itself: some are concurrent, and refuse to run in a transaction.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

from surefoot.catalog import Catalog, Difference, Key, alterations, kinds, statements
from surefoot.catalog.definitions import index_statement
from surefoot.catalog.grants import granted
from surefoot.catalog.kinds import Attribute, Attributes
from surefoot.catalog.order import in_order
from surefoot.differences import columns, online_ddl, relations
from surefoot.differences.model import Repair
from surefoot.operations.enums import value_steps
from surefoot.quoting import quoted

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
_NOT_REPAIRED = {
    "enum": "PostgreSQL removes no value from an enum; use op.replace_enum in a revision",
    "table": "no statement changes this of a table; replace the table in a revision",
}
_NEEDED = "a table or a column depends on it; change it in a revision"

Alter = Callable[[Key, Catalog, Catalog, Attributes], "list[str] | None"]


def make(key: Key, members: Collection[Key], expected: Catalog) -> Repair:
    """Create a missing object with its members."""
    if key.kind in statements.NAMED_IN_SQL:
        return Repair(note=_NOT_KNOWN)
    if (column := expected.find(kinds.Column, key)) is not None:
        sql, note = columns.added(column)
    else:
        sql = online_ddl.make(key, expected)
        note = "its rows do not come back" if key.kind == "table" else None
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
    partition = found.find(kinds.Partition, key)
    detached = () if partition is None else (relations.detach(partition),)
    return Repair((*detached, *online_ddl.unmake(key, found)), loses_data=key.kind in _HOLDS_DATA)


def change(differences: Sequence[Difference], expected: Catalog, found: Catalog) -> Repair:
    """Restore the attributes of an object that differ."""
    key = Key(differences[0].kind, differences[0].name)
    # The order of columns is no attribute, and is never compared here.
    names = frozenset(cast("Attribute", each.attribute) for each in differences)
    given = granted(key, expected, found)
    alter = _ALTER.get(key.kind)
    rest = names - {"comment", "owner", "privileges"}
    sql = [] if not rest else alter(key, expected, found, rest) if alter else None
    if sql is None:
        # Creating it again sets its comment too.
        again = online_ddl.replaced(key, expected, found)
        if again is None:
            return Repair(note=_NOT_REPAIRED.get(key.kind, _NEEDED))
        return Repair((*again, *given), note=_GRANTS if key.kind in _GRANTED else None)
    if "comment" in names:
        sql.append(statements.comment(key, expected.objects[key]))
    waits = names & _REWRITES.get(key.kind, frozenset())
    return Repair((*sql, *given), note=_WAITS if waits else None)


def _constraint(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    before, after = found.one(kinds.Constraint, key), expected.one(kinds.Constraint, key)
    if names & {"definition", "type"} or ("validated" in names and not after.validated):
        return None
    sql = [statements.validate(after)] if "validated" in names else []
    for table in _off_on(before):
        sql.append(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
        sql += [
            statements.enable_trigger(each)
            for each in expected.of_table(kinds.Trigger, table.strip('"')).values()
            if each.enabled != "yes"
        ]
    sql += [f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in _off_on(after)]
    clauses = alterations.options(before.index_options, after.index_options)
    sql += [f"ALTER INDEX {quoted(after.name)} {clause}" for clause in clauses]
    if "index validity" in names:
        sql.append(f"REINDEX INDEX CONCURRENTLY {quoted(after.name)}")
    return sql


def _off_on(constraint: kinds.Constraint) -> list[str]:
    """The tables on which a constraint is not enforced."""
    return [each.removeprefix("off on ") for each in constraint.enforcement or ()]


def _index(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    before, after = found.one(kinds.Index, key), expected.one(kinds.Index, key)
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
    after = expected.one(kinds.Sequence, key)
    sql = [alterations.sequence(after)] if "definition" in names else []
    return [*sql, *([alterations.own(after)] if "owned by" in names else [])]


def _enum(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    steps = value_steps(
        key.name, found.one(kinds.Enum, key).values, expected.one(kinds.Enum, key).values
    )
    return None if steps is None else [step.sql() for step in steps]


def _domain(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    if names - {"default", "not null", "checks"}:
        return None
    return alterations.domain(found.one(kinds.Domain, key), expected.one(kinds.Domain, key))


def _view(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    before, after = found.one(kinds.View, key), expected.one(kinds.View, key)
    if names & {"definition", "columns"}:
        old, new = before.columns or (), after.columns or ()
        if key.kind == "materialized view" or new[: len(old)] != old:
            return None
        made = statements.create(key, after)[0]
        sql = [made.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)]
    else:
        clauses = alterations.options(before.options, after.options)
        sql = [f"ALTER {statements.described(key, after)} {clause}" for clause in clauses]
    return [*sql, *relations.column_comments(before, after)]


def _routine(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    after = expected.one(kinds.Routine, key)
    return None if names - {"definition", "language"} else [after.definition.rstrip()]


def _state(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    """When a trigger or a rule fires, and the target of statistics."""
    if len(names) != 1 or not names <= {"enabled", "firing", "target"}:
        return None
    match expected.objects[key]:
        case kinds.Trigger() as after:
            return [statements.enable_trigger(after)]
        case kinds.EventTrigger() as after:
            word = statements.TRIGGER_STATES.get(after.enabled, "ENABLE")
            return [f"ALTER EVENT TRIGGER {quoted(key.name)} {word}"]
        case kinds.Rule() as after:
            word = statements.TRIGGER_STATES.get(after.firing or "", "ENABLE")
            return [f"ALTER TABLE {quoted(after.table)} {word} RULE {quoted(after.name)}"]
        case kinds.Statistics() as after:
            target = after.target or "-1"
            return [f"ALTER STATISTICS {quoted(key.name)} SET STATISTICS {target}"]
    return None


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
    "trigger": _state,
    "event trigger": _state,
    "rule": _state,
    "statistics": _state,
}
