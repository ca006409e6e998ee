"""Owners and privileges as statements."""

from __future__ import annotations

import re

from surefoot.catalog import Catalog, Key
from surefoot.catalog.alterations import listed
from surefoot.catalog.statements import described, quoted

_GRANT = re.compile(r"(.+?)( WITH GRANT OPTION)? TO (.+)", re.DOTALL)
_RELATIONS = frozenset({"table", "partition", "view", "materialized view"})


def granted(key: Key, expected: Catalog, found: Catalog) -> list[str]:
    """The statements that give an object its owner and others their privileges."""
    before, after = found.objects[key], expected.objects[key]
    sql = []
    if before.get("owner") != after.get("owner"):
        owner = after.get("owner") or found.owner
        sql.append(f"ALTER {described(key, after)} OWNER TO {quoted(owner)}")
    old, new = listed(before.get("privileges")), listed(after.get("privileges"))
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
    attributes = catalog.objects[key]
    on = described(key, attributes)
    if key.kind == "column":
        privilege = f"{privilege} ({quoted(attributes['name'])})"
        on = f"TABLE {quoted(attributes['table'])}"
    elif key.kind in _RELATIONS:
        on = f"TABLE {quoted(attributes['name'])}"
    elif key.kind == "aggregate":
        on = on.replace("AGGREGATE", "FUNCTION", 1)
    if word == "REVOKE":
        return f"REVOKE {privilege} ON {on} FROM {role}"
    return f"GRANT {privilege} ON {on} TO {role}{option or ''}"
