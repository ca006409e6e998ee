"""The SQL that would repair an object. It is printed and never run.

    Difference x both catalogs -> Repair

Run each statement by itself: some are concurrent, and refuse to run in a transaction.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

from surefoot.catalog import Catalog, Difference, Key, alterations, kinds, statements
from surefoot.catalog.changes import detach, in_place
from surefoot.catalog.definitions import index_statement
from surefoot.catalog.grants import granted
from surefoot.catalog.kinds import Attribute, Attributes
from surefoot.catalog.order import in_order
from surefoot.differences import columns, online_ddl
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
    sql += columns.settings(key, expected)
    before, after = [], []
    for member in in_order(members, expected.uses):
        if member.kind == "column":
            after += columns.settings(member, expected)
        elif member.kind == "sequence":
            # The default of the column needs the sequence, and the sequence is owned by the column.
            made = statements.create(member, expected.objects[member])
            before.append(made[0])
            after += made[1:]
        else:
            after += online_ddl.make(member, expected)
    # These name an index of the table, which must exist.
    last = columns.by_index(key, expected) if key.kind == "table" else []
    return Repair((*before, *sql, *after, *last), note=note)


def remove(key: Key, found: Catalog) -> Repair:
    """Drop an unexpected object, without CASCADE."""
    partition = found.find(kinds.Partition, key)
    detached = () if partition is None else (detach(partition),)
    return Repair((*detached, *online_ddl.unmake(key, found)), loses_data=key.kind in _HOLDS_DATA)


def change(differences: Sequence[Difference], expected: Catalog, found: Catalog) -> Repair:
    """Restore the attributes of an object that differ."""
    key = Key(differences[0].kind, differences[0].name)
    # The order of columns is no attribute, and is never compared here.
    names = frozenset(cast("Attribute", each.attribute) for each in differences)
    given = granted(key, expected, found)
    alter, rest = _ALTER.get(key.kind), names - {"comment", "owner", "privileges"}
    sql: list[str] | None = []
    if rest and alter is not None:
        sql = alter(key, expected, found, rest)
    elif rest:
        sql = in_place(key, found.objects[key], expected.objects[key], rest)
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


def _enum(key: Key, expected: Catalog, found: Catalog, names: Attributes) -> list[str] | None:
    steps = value_steps(
        key.name, found.one(kinds.Enum, key).values, expected.one(kinds.Enum, key).values
    )
    return None if steps is None else [step.sql() for step in steps]


_ALTER: Mapping[str, Alter] = {
    "column": columns.changed,
    "constraint": _constraint,
    "index": _index,
    "enum": _enum,
}
