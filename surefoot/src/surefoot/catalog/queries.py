"""The queries that read a catalog: objects, dependencies, and on demand owners and privileges.

The SELECTs of all kinds of object are one statement. Each row is a kind, a class of pg_depend and
the object as JSON. Beside the attributes, the JSON has the object's `oid`, and where they are not
the usual: `object`, its kind; `part`, its column in pg_depend; `key`, its name; `relation`, what it
belongs to. A SELECT of names themselves would cut a longer text in a UNION to 63 bytes.
"""

from surefoot.catalog.relation_queries import RELATION_QUERIES
from surefoot.catalog.type_queries import TYPE_QUERIES

# Partitions are left out: only their bounds are read, the rest comes from their parents.
_COMMON = """
WITH namespace AS (SELECT oid FROM pg_namespace WHERE nspname = CAST(:schema AS text)),
state (letter, word) AS (VALUES ('D'::"char", 'no'), ('R', 'on replicas'), ('A', 'always')),
member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
relation AS (
    SELECT c.*, c.relkind IN ('r', 'p', 'f') AS is_table FROM pg_class c
    WHERE c.relnamespace = (SELECT oid FROM namespace) AND NOT c.relispartition
      AND NOT EXISTS (SELECT FROM member m
                      WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)),
sequence AS (
    SELECT r.oid, r.relname, q.seqtypid AS type, d.deptype AS dependency, d.refobjid AS table_oid,
           d.refobjsubid AS table_column, t.relname AS table_name, a.attname AS column_name,
           format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s', q.seqstart,
                  q.seqincrement, q.seqmin, q.seqmax, q.seqcache)
           || CASE WHEN q.seqcycle THEN ' CYCLE' ELSE '' END AS options
    FROM relation r JOIN pg_sequence q ON q.seqrelid = r.oid
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.oid
         AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    LEFT JOIN pg_class t ON t.oid = d.refobjid
    LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid)
"""
OBJECTS = _COMMON + "UNION ALL".join(
    f"""
SELECT '{kind}', '{catalog}'::regclass::oid,
       jsonb_build_object('comment', (
           SELECT description FROM pg_description
           WHERE objoid = o.oid AND classoid = '{catalog}'::regclass AND objsubid = 0))
       || to_jsonb(o)
FROM ({query}) o
WHERE NOT EXISTS (SELECT FROM member m
                  WHERE m.classid = '{catalog}'::regclass AND m.objid = o.oid)
"""  # noqa: S608 - the SELECTs of this package
    for (kind, catalog), query in (RELATION_QUERIES | TYPE_QUERIES).items()
)

# Pairs of addresses: who needs whom.
# A view depends through its rule, a default through its own row, an array through its element, a
# multirange through its range, a composite type through its columns, a foreign key through the
# index of the key that it refers to.
DEPENDENCIES = """
WITH namespace AS (SELECT oid FROM pg_namespace WHERE nspname = CAST(:schema AS text)),
used AS (SELECT 'pg_class'::regclass AS class, oid FROM pg_class
         WHERE relnamespace = (SELECT oid FROM namespace)
         UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc
         WHERE pronamespace = (SELECT oid FROM namespace)
         UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type
         WHERE typnamespace = (SELECT oid FROM namespace)
         UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint
         WHERE connamespace = (SELECT oid FROM namespace))
SELECT CASE WHEN w.rulename = '_RETURN' OR f.oid IS NOT NULL
            THEN 'pg_class'::regclass::oid
            WHEN y.oid IS NOT NULL THEN 'pg_type'::regclass::oid ELSE d.classid END,
       CASE WHEN w.rulename = '_RETURN' THEN w.ev_class
            ELSE coalesce(f.adrelid, y.reltype, d.objid) END,
       CASE WHEN w.rulename = '_RETURN' THEN 0 ELSE coalesce(f.adnum, d.objsubid) END,
       CASE WHEN c.relkind <> 'c' THEN 'pg_class'::regclass::oid
            WHEN k.oid IS NOT NULL THEN 'pg_constraint'::regclass::oid ELSE d.refclassid END,
       CASE WHEN c.relkind <> 'c' THEN c.oid
            ELSE coalesce(r.rngtypid, e.oid, k.oid, d.refobjid) END,
       d.refobjsubid
FROM pg_depend d JOIN used u ON u.class = d.refclassid AND u.oid = d.refobjid
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
LEFT JOIN pg_class y ON d.classid = 'pg_class'::regclass AND y.oid = d.objid AND y.relkind = 'c'
LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
LEFT JOIN pg_type e ON t.typcategory = 'A' AND e.oid = t.typelem
LEFT JOIN pg_range r ON r.rngmultitypid = coalesce(e.oid, t.oid)
LEFT JOIN pg_class c ON c.oid = t.typrelid AND t.typtype = 'c'
LEFT JOIN pg_constraint k ON d.refclassid = 'pg_class'::regclass AND k.conindid = d.refobjid
     AND k.contype IN ('p', 'u', 'x')
WHERE d.deptype IN ('n', 'a')
"""

# The owner that is left out: that of the revision table, or of the database where there is none.
MIGRATES = """
SELECT coalesce((SELECT pg_get_userbyid(relowner) FROM pg_class
                 WHERE oid = to_regclass(:table)),
                (SELECT pg_get_userbyid(datdba) FROM pg_database
                 WHERE datname = current_database()))::text
"""

# Without a GRANT or REVOKE an object has the defaults of its kind. The privileges of the owner are
# left out.
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
