"""What needs what: one SELECT over pg_depend, as pairs of addresses (class, object, column)."""

from __future__ import annotations

# A view depends through its rule, a default through its own row, an array through its element, a
# foreign key through the index of the key that it refers to.
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
            THEN 'pg_class'::regclass::oid ELSE d.classid END,
       CASE WHEN w.rulename = '_RETURN' THEN w.ev_class ELSE coalesce(f.adrelid, d.objid) END,
       CASE WHEN w.rulename = '_RETURN' THEN 0 ELSE coalesce(f.adnum, d.objsubid) END,
       CASE WHEN c.relkind <> 'c' THEN 'pg_class'::regclass::oid
            WHEN k.oid IS NOT NULL THEN 'pg_constraint'::regclass::oid ELSE d.refclassid END,
       CASE WHEN t.typelem <> 0 AND t.typcategory = 'A' THEN t.typelem
            WHEN c.relkind <> 'c' THEN c.oid
            ELSE coalesce(k.oid, d.refobjid) END,
       d.refobjsubid
FROM pg_depend d JOIN used u ON u.class = d.refclassid AND u.oid = d.refobjid
LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
LEFT JOIN pg_class c ON c.oid = t.typrelid AND t.typtype = 'c'
LEFT JOIN pg_constraint k ON d.refclassid = 'pg_class'::regclass AND k.conindid = d.refobjid
     AND k.contype IN ('p', 'u', 'x')
WHERE d.deptype IN ('n', 'a')
"""
