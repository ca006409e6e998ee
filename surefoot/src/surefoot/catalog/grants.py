"""Owners and privileges as statements."""

import re

from surefoot.catalog.kinds import Column
from surefoot.catalog.model import Catalog, Key
from surefoot.catalog.statements import described
from surefoot.quoting import quoted

_GRANT = re.compile(r"(.+?)( WITH GRANT OPTION)? TO (.+)", re.DOTALL)
_RELATIONS = frozenset({"table", "partition", "view", "materialized view"})


def granted(key: Key, expected: Catalog, found: Catalog) -> list[str]:
    """The statements that give an object its owner and others their privileges."""
    before, after = found.objects[key], expected.objects[key]
    sql = []
    if before.owner != after.owner:
        owner = after.owner or str(found.owner)
        sql.append(f"ALTER {described(key, after)} OWNER TO {quoted(owner)}")
    old, new = before.privileges or (), after.privileges or ()
    for word, listing in (
        ("REVOKE", [e for e in old if e not in new]),
        ("GRANT", [e for e in new if e not in old]),
    ):
        for each in listing:
            match = _GRANT.fullmatch(each)
            assert match is not None
            sql.append(_statement(word, key, found, *match.groups()))
    return sql


def _statement(
    word: str, key: Key, catalog: Catalog, privilege: str, option: str | None, role: str
) -> str:
    item = catalog.objects[key]
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
