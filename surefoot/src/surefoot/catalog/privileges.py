"""Owners and privileges, read on demand: they differ from one environment to the next.

An owner is left out where it is the role that migrates: the owner of the version table, or of the
database where there is none.
"""

from __future__ import annotations

MIGRATES = """
SELECT coalesce((SELECT pg_get_userbyid(relowner) FROM pg_class
                 WHERE oid = to_regclass(:table)),
                (SELECT pg_get_userbyid(datdba) FROM pg_database
                 WHERE datname = current_database()))::text
"""

# What was never granted or revoked is the default of its kind. What the owner may do goes without
# saying.
PRIVILEGES = """
WITH namespace AS (SELECT oid FROM pg_namespace WHERE nspname = CAST(:schema AS text)),
object AS (
    SELECT 'pg_class'::regclass::oid AS class, oid, 0 AS part, relowner AS owner,
           coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char",
                                       relowner)) AS acl
    FROM pg_class
    WHERE relnamespace = (SELECT oid FROM namespace) AND relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL
    SELECT 'pg_proc'::regclass::oid, oid, 0, proowner, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace = (SELECT oid FROM namespace)
    UNION ALL
    SELECT 'pg_type'::regclass::oid, oid, 0, typowner, coalesce(typacl, acldefault('T', typowner))
    FROM pg_type WHERE typnamespace = (SELECT oid FROM namespace)
    UNION ALL
    SELECT 'pg_class'::regclass::oid, c.oid, a.attnum::int, NULL, a.attacl
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = (SELECT oid FROM namespace) AND a.attnum > 0 AND a.attacl IS NOT NULL)
SELECT class, oid, part, nullif(pg_get_userbyid(owner)::text, CAST(:owner AS text)),
       (SELECT array_agg(DISTINCT x.privilege_type
                         || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END || ' TO '
                         || CASE x.grantee WHEN 0 THEN 'PUBLIC'
                            ELSE quote_ident(pg_get_userbyid(x.grantee)) END)
        FROM aclexplode(acl) x WHERE x.grantee IS DISTINCT FROM owner)
FROM object
"""
