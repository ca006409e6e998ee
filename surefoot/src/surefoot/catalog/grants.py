"""Owners and privileges as statements."""

import re
from collections.abc import Mapping
from dataclasses import field

from sqlalchemy import Connection, text

from surefoot.catalog.kinds import Column, Names, SchemaObject
from surefoot.catalog.model import Catalog, Key
from surefoot.catalog.statements import described
from surefoot.frozen import dataclass
from surefoot.quoting import quoted, schema_of

_OPTION = " WITH GRANT OPTION"
_GRANT = re.compile(rf"(.+?)({_OPTION})? TO (.+)", re.DOTALL)
# The privileges that PostgreSQL gives everybody on a new object of these kinds.
OPEN: Mapping[str, Names] = {
    **dict.fromkeys(("function", "procedure", "aggregate"), ("EXECUTE TO PUBLIC",)),
    **dict.fromkeys(("enum", "domain", "type"), ("USAGE TO PUBLIC",)),
}
# What ALTER DEFAULT PRIVILEGES of this role gives to others, in a schema or, without one, in all.
_DEFAULTS = text("""
SELECT n.nspname::text, d.defaclobjtype::text,
       coalesce(array_agg(
           x.privilege_type || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
           || ' TO ' || CASE x.grantee WHEN 0 THEN 'PUBLIC'
                        ELSE quote_ident(pg_get_userbyid(x.grantee)) END)
           FILTER (WHERE x.grantee <> d.defaclrole), '{}')
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace,
     aclexplode(d.defaclacl) x
WHERE pg_get_userbyid(d.defaclrole) = current_user GROUP BY 1, 2
""")
_LETTERS: Mapping[str, str] = {
    **dict.fromkeys(("table", "view", "materialized view"), "r"),
    "sequence": "S",
    **dict.fromkeys(("function", "procedure", "aggregate"), "f"),
    **dict.fromkeys(("enum", "domain", "type"), "T"),
}
_RELATIONS = frozenset({"table", "partition", "view", "materialized view"})


@dataclass(frozen=True)
class Defaults:
    """The privileges that others get on what this role creates."""

    # By the schema, None for all of them, and PostgreSQL's letter for the kind of object.
    found: Mapping[tuple[str | None, str], Names] = field(default_factory=dict)
    # The default schema, which keys do not name.
    schema: str = "public"

    @classmethod
    def read(cls, connection: Connection, schema: str) -> "Defaults":
        rows = connection.execute(_DEFAULTS)
        return cls({(place, letter): tuple(given) for place, letter, given in rows}, schema)

    def of(self, key: Key) -> Names:
        """Those on a new object; its schema adds to those of all schemas."""
        there, letter = schema_of(key.name) or self.schema, _LETTERS.get(key.kind, "")
        usual = self.found.get((None, letter), OPEN.get(key.kind, ()))
        return tuple(dict.fromkeys((*usual, *self.found.get((there, letter), ()))))


def granted(key: Key, expected: Catalog, found: Catalog) -> list[str]:
    """The statements that give an object its owner and others their privileges."""
    before, after = found.objects[key], expected.objects[key]
    sql = []
    if before.owner != after.owner:
        owner = after.owner or str(found.owner)
        sql.append(f"ALTER {described(key, after)} OWNER TO {quoted(owner)}")
    return [*sql, *rights(key, before, after)]


def rights(key: Key, before: SchemaObject, after: SchemaObject) -> list[str]:
    """The statements that take the privileges on an object from one state to another.

    Where only a grant option comes or goes, the role has the privilege all the time.
    """
    old, new = before.privileges or (), after.privileges or ()
    lost = [each for each in old if each not in new and _with_option(each) not in new]
    gained = [each for each in new if each not in old and _with_option(each) not in old]
    return [
        *(_revoke(each, key, before, new) for each in lost),
        *(_grant(each, key, before) for each in gained),
    ]


def _revoke(grant: str, key: Key, item: SchemaObject, left: Names) -> str:
    privilege, _, role = _parts(grant)
    option = "GRANT OPTION FOR " if f"{privilege} TO {role}" in left else ""
    return f"REVOKE {option}{_on(privilege, key, item)} FROM {role}"


def _grant(grant: str, key: Key, item: SchemaObject) -> str:
    privilege, option, role = _parts(grant)
    return f"GRANT {_on(privilege, key, item)} TO {role}{option}"


def _with_option(grant: str) -> str:
    privilege, _, role = _parts(grant)
    return f"{privilege}{_OPTION} TO {role}"


def _parts(grant: str) -> tuple[str, str, str]:
    """The privilege, the grant option or nothing, and the role."""
    match = _GRANT.fullmatch(grant)
    assert match is not None
    return match[1], match[2] or "", match[3]


def _on(privilege: str, key: Key, item: SchemaObject) -> str:
    """The privilege and what it is on."""
    if isinstance(item, Column):
        return f"{privilege} ({quoted(item.name)}) ON TABLE {quoted(item.table)}"
    on = described(key, item)
    if key.kind in _RELATIONS:
        on = f"TABLE {quoted(item.name)}"
    elif key.kind == "aggregate":
        on = on.replace("AGGREGATE", "FUNCTION", 1)
    return f"{privilege} ON {on}"
