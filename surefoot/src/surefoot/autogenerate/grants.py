"""Privileges are lost when a view or a function is dropped and created again; a note lists them.

The revision does not grant them again: roles differ between databases, and a revision that names a
missing role fails.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from surefoot.catalog import Key
from surefoot.quoting import quoted

_GRANTS = text("""
WITH object AS (
    SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END AS kind,
           relname::text AS name, quote_ident(relname) AS target, relacl AS acl, relowner AS owner
    FROM pg_class
    WHERE relnamespace = CAST(:schema AS text)::regnamespace AND relkind IN ('v', 'm')
    UNION ALL
    SELECT CASE prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
           proname || '(' || oidvectortypes(proargtypes) || ')',
           CASE prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END || quote_ident(proname)
           || '(' || oidvectortypes(proargtypes) || ')', proacl, proowner
    FROM pg_proc WHERE pronamespace = CAST(:schema AS text)::regnamespace)
SELECT kind, name,
       'GRANT ' || string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) || ' ON ' || target
       || ' TO ' || CASE a.grantee WHEN 0 THEN 'PUBLIC'
                    ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS statement
FROM object, aclexplode(acl) a
WHERE a.grantee <> owner AND NOT (a.grantee = 0 AND a.privilege_type = 'EXECUTE')
GROUP BY kind, name, target, a.grantee
UNION ALL
SELECT kind, name, 'REVOKE EXECUTE ON ' || target || ' FROM PUBLIC' FROM object
WHERE kind NOT LIKE '%view' AND acl IS NOT NULL
  AND NOT EXISTS (SELECT FROM aclexplode(acl) a WHERE a.grantee = 0)
ORDER BY 1, 2, 3
""")

Grants = Mapping[Key, tuple[str, ...]]


def read_grants(connection: Connection, schema: str) -> Grants:
    """The privileges of roles other than the owner on views and functions, as statements."""
    found: dict[Key, tuple[str, ...]] = {}
    for kind, name, statement in connection.execute(_GRANTS, {"schema": quoted(schema)}):
        key = Key(kind, name)
        found[key] = (*found.get(key, ()), statement)
    return found
