"""The SQL that would bring an object back to what it should be. It is offered, and never run.

    Difference x both catalogs -> Repair

Each statement is to be run by itself: some build concurrently, which no transaction holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from surefoot.catalog import Attributes, Catalog, Difference, Key, alterations, statements
from surefoot.catalog.alterations import listed
from surefoot.catalog.order import in_order
from surefoot.catalog.statements import quoted
from surefoot.drift import columns, forms, relations
from surefoot.drift.grants import granted
from surefoot.drift.model import Repair

# What goes with these nothing brings back.
_HOLDS_DATA = frozenset({"table", "column", "partition", "sequence"})
_NOT_KNOWN = "it is known by its name alone; the revision that made it says how"
_WAITS = "it may write the table anew, and everybody waits meanwhile"
_WRITES_ANEW = {
    "column": frozenset({"type", "collation", "generated"}),
    "table": frozenset({"persistence"}),
}
_GRANTS = "what others were granted on it goes with it: vegafs drift --privileges, before and after"
_GRANTED = frozenset({"view", "materialized view", "function", "procedure", "aggregate"})
_NEEDED = "a table or a column stands on it, so it has to be changed by a revision"

Alter = Callable[[Key, Catalog, Catalog, frozenset[str]], "list[str] | None"]


def make(key: Key, members: Collection[Key], expected: Catalog) -> Repair:
    """Make what is missing, with what hung on it."""
    attributes = expected.objects[key]
    note = None
    if key.kind in statements.NAMED_IN_SQL:
        return Repair(note=_NOT_KNOWN)
    if key.kind == "column":
        sql, note = columns.added(attributes)
    elif key.kind == "table":
        sql = forms.make(key, expected)
        note = "its rows do not come back"
    else:
        sql = forms.make(key, expected)
    if key.kind in ("table", "column", "partition"):
        sql += relations.settings(key, expected)
    before, after = [], []
    for member in in_order(members, expected.uses):
        if member.kind == "column":
            after += relations.settings(member, expected)
        elif member.kind == "sequence":
            # The column's default names it, and it belongs to the column.
            made = statements.create(member, expected.objects[member])
            before.append(made[0])
            after += made[1:]
        else:
            after += forms.make(member, expected)
    # What names an index of the table comes after it.
    last = relations.by_index(key, expected) if key.kind == "table" else []
    return Repair((*before, *sql, *after, *last), note=note)


def remove(key: Key, found: Catalog) -> Repair:
    """Drop what nobody asked for, and nothing that needs it."""
    if key.kind == "partition":
        parent = quoted(found.objects[key]["table"])
        detach = f"ALTER TABLE {parent} DETACH PARTITION {quoted(key.name)}"
        return Repair((detach, f"DROP TABLE {quoted(key.name)}"), loses_data=True)
    return Repair(tuple(forms.unmake(key, found)), loses_data=key.kind in _HOLDS_DATA)


def attach(key: Key, expected: Catalog) -> Repair:
    """A partition that stands beside its table."""
    attributes = expected.objects[key]
    table = f"ALTER TABLE {quoted(attributes['table'])}"
    return Repair((f"{table} ATTACH PARTITION {quoted(key.name)} {attributes['bound']}",))


def detach(key: Key, found: Catalog) -> Repair:
    """A table that became a partition of another."""
    table = f"ALTER TABLE {quoted(found.objects[key]['table'])}"
    return Repair((f"{table} DETACH PARTITION {quoted(key.name)}",))


def validate(key: Key, found: Catalog) -> Repair:
    """Prove a constraint against the rows that it was not checked against."""
    return Repair((statements.validate(found.objects[key]),))


def change(differences: Sequence[Difference], expected: Catalog, found: Catalog) -> Repair:
    """Bring back the attributes of one object that differ."""
    key = Key(differences[0].kind, differences[0].name)
    names = frozenset(str(each.attribute) for each in differences)
    given = granted(key, expected, found)
    alter = _ALTER.get(key.kind)
    rest = names - {"comment", "owner", "privileges"}
    sql: list[str] | None = []
    if rest:
        sql = alter(key, expected, found, rest) if alter else None
        if sql is None:
            sql = forms.remade(key, expected, found)
            if sql is not None:
                # Made anew it has its comment.
                return Repair((*sql, *given), note=_GRANTS if key.kind in _GRANTED else None)
    if sql is None:
        return Repair(note=_why(key))
    if "comment" in names:
        sql.append(statements.comment(key, expected.objects[key]))
    waits = names & _WRITES_ANEW.get(key.kind, frozenset())
    return Repair((*sql, *given), note=_WAITS if waits else None)


def _why(key: Key) -> str:
    if key.kind == "enum":
        return "PostgreSQL takes no value from an enum; op.replace_enum in a revision does"
    if key.kind == "table":
        return "no statement changes that of a table; a revision has to make another"
    return _NEEDED


def _constraint(
    key: Key, expected: Catalog, found: Catalog, names: frozenset[str]
) -> list[str] | None:
    before, after = found.objects[key], expected.objects[key]
    if names & {"definition", "type"} or ("validated" in names and not after["validated"]):
        return None
    sql = []
    if "validated" in names:
        sql.append(statements.validate(after))
    for table in _off_on(before):
        sql.append(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
        sql += [
            statements.enable_trigger(each)
            for each in expected.of_table("trigger", table.strip('"')).values()
            if each["enabled"] != "yes"
        ]
    for table in _off_on(after):
        sql.append(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    sql += _clauses(f"ALTER INDEX {quoted(after['name'])}", before, after, "index options")
    if "index validity" in names:
        sql.append(f"REINDEX INDEX CONCURRENTLY {quoted(after['name'])}")
    return sql


def _off_on(attributes: Attributes) -> list[str]:
    """The tables on which a constraint is not enforced."""
    return [each.removeprefix("off on ") for each in listed(attributes.get("enforcement"))]


def _index(key: Key, expected: Catalog, found: Catalog, names: frozenset[str]) -> list[str] | None:
    before, after = found.objects[key], expected.objects[key]
    name = quoted(after["name"])
    if "table" in names or (names & {"valid"} and not after["valid"]):
        return None
    if names & {"definition", "unique"}:
        if forms.is_partitioned(found, before["table"]):
            return None
        beside = quoted(f"{str(after['name'])[:58]}_new")
        sql = [
            forms.index(after, partitioned=False, name=beside),
            f"DROP INDEX CONCURRENTLY {name}",
            f"ALTER INDEX {beside} RENAME TO {name}",
        ]
        return [*sql, *([statements.comment(key, after)] if after["comment"] else [])]
    sql = [f"REINDEX INDEX CONCURRENTLY {name}"] if "valid" in names else []
    old = dict(each.split() for each in listed(before.get("statistics")))
    new = dict(each.split() for each in listed(after.get("statistics")))
    for column in sorted({*old, *new}):
        if old.get(column) != new.get(column):
            target = new.get(column, "-1")
            sql.append(f"ALTER INDEX {name} ALTER COLUMN {column} SET STATISTICS {target}")
    return sql


def _sequence(key: Key, expected: Catalog, found: Catalog, names: frozenset[str]) -> list[str]:
    after = expected.objects[key]
    sql = [alterations.sequence(after)] if "definition" in names else []
    return [*sql, *([alterations.own(after)] if "owned by" in names else [])]


def _enum(key: Key, expected: Catalog, found: Catalog, names: frozenset[str]) -> list[str] | None:
    old, new = listed(found.objects[key]["labels"]), listed(expected.objects[key]["labels"])
    enum = f"ALTER TYPE {quoted(key.name)}"
    gone = [label for label in old if label not in new]
    missing = [label for label in new if label not in old]
    if len(gone) == len(missing) == 1 and old.index(gone[0]) == new.index(missing[0]):
        before, after = statements.literal(gone[0]), statements.literal(missing[0])
        return [f"{enum} RENAME VALUE {before} TO {after}"]
    if gone or [label for label in new if label in old] != list(old):
        return None
    sql = []
    for place, label in enumerate(new):
        if label not in old:
            where = f" AFTER {statements.literal(new[place - 1])}" if place else ""
            where = where or (f" BEFORE {statements.literal(old[0])}" if old else "")
            sql.append(f"{enum} ADD VALUE {statements.literal(label)}{where}")
    return sql


def _domain(key: Key, expected: Catalog, found: Catalog, names: frozenset[str]) -> list[str] | None:
    before, after = found.objects[key], expected.objects[key]
    if names - {"default", "not null", "checks"}:
        return None
    sql = []
    for statement in alterations.domain(before, after):
        head, added, check = statement.partition(" ADD CONSTRAINT ")
        if not added or check.endswith(" NOT VALID"):
            sql.append(statement)
            continue
        name = check.split(" CHECK ")[0]
        sql += [f"{statement} NOT VALID", f"{head} VALIDATE CONSTRAINT {name}"]
    return sql


def _view(key: Key, expected: Catalog, found: Catalog, names: frozenset[str]) -> list[str] | None:
    before, after = found.objects[key], expected.objects[key]
    if names & {"definition", "columns"}:
        old, new = listed(before["columns"]), listed(after["columns"])
        if key.kind == "materialized view" or new[: len(old)] != old:
            return None
        made = statements.create(key, after)[0]
        sql = [made.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)]
    else:
        kind = f"ALTER {key.kind.upper()} {quoted(after['name'])}"
        sql = _clauses(kind, before, after, "options")
    return [*sql, *relations.column_comments(before, after)]


def _routine(
    key: Key, expected: Catalog, found: Catalog, names: frozenset[str]
) -> list[str] | None:
    if names - {"definition", "language"}:
        return None
    return [str(expected.objects[key]["definition"]).rstrip()]


def _trigger(
    key: Key, expected: Catalog, found: Catalog, names: frozenset[str]
) -> list[str] | None:
    return [statements.enable_trigger(expected.objects[key])] if names == {"enabled"} else None


def _event_trigger(
    key: Key, expected: Catalog, found: Catalog, names: frozenset[str]
) -> list[str] | None:
    word = statements.TRIGGER_STATES.get(str(expected.objects[key]["enabled"]), "ENABLE")
    return [f"ALTER EVENT TRIGGER {quoted(key.name)} {word}"] if names == {"enabled"} else None


def _rule(key: Key, expected: Catalog, found: Catalog, names: frozenset[str]) -> list[str] | None:
    after = expected.objects[key]
    word = statements.TRIGGER_STATES.get(str(after.get("firing")), "ENABLE")
    alter = f"ALTER TABLE {quoted(after['table'])} {word} RULE {quoted(after['name'])}"
    return [alter] if names == {"firing"} else None


def _statistics(
    key: Key, expected: Catalog, found: Catalog, names: frozenset[str]
) -> list[str] | None:
    target = expected.objects[key].get("target") or "-1"
    alter = f"ALTER STATISTICS {quoted(key.name)} SET STATISTICS {target}"
    return [alter] if names == {"target"} else None


def _clauses(alter: str, before: Attributes, after: Attributes, name: str) -> list[str]:
    clauses = alterations.options(before.get(name), after.get(name))
    return [f"{alter} {clause}" for clause in clauses]


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
