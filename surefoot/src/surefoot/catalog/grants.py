"""Owners and privileges as statements."""

import re
from collections.abc import Mapping

from surefoot.catalog.kinds import Column, Names, SchemaObject
from surefoot.catalog.model import Catalog, Key
from surefoot.catalog.statements import described
from surefoot.quoting import quoted

_GRANT = re.compile(r"(.+?)( WITH GRANT OPTION)? TO (.+)", re.DOTALL)
# The privileges that PostgreSQL gives everybody on a new object of these kinds.
OPEN: Mapping[str, Names] = {
    **dict.fromkeys(("function", "procedure", "aggregate"), ("EXECUTE TO PUBLIC",)),
    **dict.fromkeys(("enum", "domain", "type"), ("USAGE TO PUBLIC",)),
}
_RELATIONS = frozenset({"table", "partition", "view", "materialized view"})


def granted(key: Key, expected: Catalog, found: Catalog) -> list[str]:
    """The statements that give an object its owner and others their privileges."""
    before, after = found.objects[key], expected.objects[key]
    sql = []
    if before.owner != after.owner:
        owner = after.owner or str(found.owner)
        sql.append(f"ALTER {described(key, after)} OWNER TO {quoted(owner)}")
    return [*sql, *rights(key, before, after)]


def rights(key: Key, before: SchemaObject, after: SchemaObject) -> list[str]:
    """The statements that take the privileges on an object from one state to another."""
    old, new = before.privileges or (), after.privileges or ()
    return [
        *(_statement("REVOKE", each, key, before) for each in old if each not in new),
        *(_statement("GRANT", each, key, before) for each in new if each not in old),
    ]


def _statement(word: str, grant: str, key: Key, item: SchemaObject) -> str:
    match = _GRANT.fullmatch(grant)
    assert match is not None
    privilege, option, role = match.groups()
    on = described(key, item)
    if isinstance(item, Column):
        privilege = f"{privilege} ({quoted(item.name)})"
        on = f"TABLE {quoted(item.table)}"
    elif key.kind in _RELATIONS:
        on = f"TABLE {quoted(item.name)}"
    elif key.kind == "aggregate":
        on = on.replace("AGGREGATE", "FUNCTION", 1)
    if word == "REVOKE":
        return f"REVOKE {privilege} ON {on} FROM {role}"
    return f"GRANT {privilege} ON {on} TO {role}{option or ''}"
