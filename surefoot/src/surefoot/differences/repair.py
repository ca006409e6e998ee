"""The SQL that would repair an object. It is printed and never run.

It is the plan that autogenerate would write, from the database to the same one with the object as
it should be. Run each statement by itself: some are concurrent, and refuse to run in a transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.objects import with_diff
from surefoot.autogenerate.planner import changes_between, plan
from surefoot.autogenerate.rendering import as_sql
from surefoot.catalog import Catalog, Difference, Key, statements
from surefoot.catalog.kinds import ON_DEMAND, Attributes, Column, table_of
from surefoot.differences.model import Repair

# How the server casts, as `catalog.casts` reads it.
Casts = Mapping[tuple[str, str], str]
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
_ENUM = "PostgreSQL removes no value from an enum; use op.replace_enum in a revision"
_TABLE = "no statement changes this of a table; replace the table in a revision"
_FOLLOWS = "no statement of its own: it may follow from another repair; compare `drift` after it"
_VALID = "it is validated already; nothing has to be repaired"
_NEEDED = "a table or a column depends on it; change it in a revision"


def bare(catalog: Catalog) -> Catalog:
    """The first schema without owners and privileges, which have statements of their own."""
    objects = {key: item.without(ON_DEMAND) for key, item in catalog.objects.items()}
    return replace(catalog, objects=objects, others={})


def toward(found: Catalog, expected: Catalog, keys: set[Key]) -> Catalog:
    """The database with these objects as they should be."""
    target = found.with_objects_of(expected, keys)
    sides = found, expected
    tables = {table_of(side.objects.get(key)) or key.name for side in sides for key in keys}
    # Columns that are left over may be repaired later.
    order = {
        name: tuple(
            column
            for column in dict.fromkeys(
                (*expected.column_order.get(name, ()), *found.column_order.get(name, ()))
            )
            if Key("column", f"{name}.{column}") in target.objects
        )
        for name in tables
    }
    target = replace(target, column_order={**found.column_order, **order})
    if not any(key.kind == "enum" for key in keys):
        return target
    # Other objects follow the rename of a value.
    followed = replace(target, objects=Comparison(found, target).followed.objects)
    return followed.with_objects_of(target, keys)


def _near(found: Catalog, target: Catalog, keys: set[Key]) -> tuple[Catalog, Catalog]:
    """Both catalogs with what a change of these objects can concern: a plan reads all it is given.

    These are their users, what those use, and the whole tables of all of them.
    """
    sides = found, target
    near = keys.union(*(side.users_of(*keys) for side in sides))
    near.update(*(side.needs(key) for side in sides for key in list(near)))
    tables = {table_of(side.objects.get(key)) for side in sides for key in near} - {None}

    def part(side: Catalog) -> Catalog:
        objects = {
            key: item
            for key, item in side.objects.items()
            if key in near or key.name in tables or table_of(item) in tables
        }
        uses = {key: side.uses[key] for key in objects if key in side.uses}
        return replace(side, objects=objects, uses=uses)

    return part(found), part(target)


def repaired(
    differences: Sequence[Difference],
    members: Collection[Key],
    found: Catalog,
    target: Catalog,
    casts: Casts,
) -> Repair:
    """The repair of one object, which differs between the catalogs, and of its members."""
    key, word = Key(differences[0].kind, differences[0].name), differences[0].word
    names = {each.attribute for each in differences}
    if key.kind in statements.NAMED_IN_SQL and word != "changed":
        drop = () if word == "missing" else (statements.drop(key, found.objects[key]),)
        return Repair(drop, note=None if drop else _NOT_KNOWN)
    if names & {"kind", "partition key"}:
        return Repair(note=_TABLE)
    near = Comparison(*_near(found, target, {key, *members}), casts, at_once=True)
    comparison = with_diff(near)
    diff = comparison.diff
    again = diff.recreated | diff.recreated_columns
    holds = any(user.kind in ("table", "column", "partition") for user in found.users_of(key))
    if key in diff.replaced or (key in again and word == "changed" and holds):
        return Repair(note=_ENUM if key in diff.replaced else _NEEDED)
    planned = plan(changes_between(comparison), comparison)
    sql = as_sql(op for each in planned for change in each.changes for op in change.ops)
    note = None if sql or names <= ON_DEMAND else _FOLLOWS
    if word == "missing":
        note = _lost(key, target) if sql or key.kind != "constraint" else _VALID
    elif names & _REWRITES.get(key.kind, frozenset()):
        note = _WAITS
    elif word == "changed" and key in again and key.kind in _GRANTED:
        note = _GRANTS
    return Repair(sql, word == "unexpected" and key.kind in _HOLDS_DATA, note)


def _lost(key: Key, target: Catalog) -> str | None:
    column = target.find(Column, key)
    if column is None or column.has_own_value:
        return "its rows do not come back" if key.kind == "table" else None
    rest = ": fill it before it is required" if column.not_null else ""
    return f"its values do not come back{rest}"
