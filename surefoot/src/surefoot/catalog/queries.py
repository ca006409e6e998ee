"""What is read from pg_catalog: one SELECT a kind of object, all sent as one statement.

Each gives kind, name, the relation that the object belongs to, its address in pg_depend
(class, object, column) and its attributes as JSON. What few objects have is an attribute only where
it is set. A new kind is one more entry of `KINDS`.
"""

from __future__ import annotations

from surefoot.catalog.attached import ATTACHED
from surefoot.catalog.schema_objects import BESIDE

# PG 18 stores NOT NULL as constraints too: a column says it, and only one that was never validated
# is worth a line. Constraints of a partition come from its parent, those of triggers are triggers.
_CONSTRAINTS = """
SELECT 'constraint', r.name || '.' || k.conname, r.name,
       'pg_constraint'::regclass::oid, k.oid, 0,
       jsonb_build_object(
           'table', r.name, 'name', k.conname,
           'type', CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key'
                   WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'x' THEN 'exclusion'
                   ELSE 'not null' END,
           'definition', regexp_replace(pg_get_constraintdef(k.oid, true), ' NOT VALID$', ''),
           'validated', k.convalidated,
           'comment', obj_description(k.oid, 'pg_constraint'))
       || jsonb_strip_nulls(jsonb_build_object(
           'index validity', CASE WHEN NOT i.indisvalid THEN 'invalid' END,
           'index options', to_jsonb(x.reloptions),
           'enforcement', (SELECT jsonb_agg(DISTINCT 'off on ' || g.tgrelid::regclass)
                           FROM pg_trigger g
                           WHERE g.tgconstraint = k.oid AND g.tgisinternal
                             AND g.tgenabled <> 'O')))
FROM pg_constraint k JOIN relation r ON r.oid = k.conrelid
LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class x ON x.oid = i.indexrelid
WHERE r.kind IN ('r', 'p', 'f') AND k.conparentid = 0 AND (k.conislocal OR k.contype <> 'c')
  AND (k.contype IN ('c', 'f', 'p', 'u', 'x') OR k.contype = 'n' AND NOT k.convalidated)
"""

_COLUMNS = """
SELECT 'column', r.name || '.' || a.attname, r.name,
       'pg_class'::regclass::oid, r.oid, a.attnum::int,
       jsonb_build_object(
           'table', r.name, 'name', a.attname, '#', a.attnum,
           'type', format_type(a.atttypid, a.atttypmod),
           'collation', CASE WHEN a.attcollation <> t.typcollation
                        THEN a.attcollation::regcollation::text END,
           'not null', a.attnotnull,
           'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
           'generated', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid)
                        || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END END,
           'identity', CASE WHEN a.attidentity <> '' THEN
                       CASE a.attidentity WHEN 'a' THEN 'ALWAYS ' ELSE 'BY DEFAULT ' END
                       || (SELECT options FROM sequence s
                           WHERE s.dependency = 'i' AND s.table_oid = r.oid
                             AND s.table_column = a.attnum) END,
           'comment', col_description(r.oid, a.attnum))
       || jsonb_strip_nulls(jsonb_build_object(
           'storage', CASE WHEN a.attstorage <> t.typstorage THEN
               (SELECT string_agg(CASE s.way WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
                                  WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END, ' instead of '
                                  ORDER BY s.turn)
                FROM (VALUES (a.attstorage, 1), (t.typstorage, 2)) AS s (way, turn)) END,
           'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
           'statistics', nullif(a.attstattarget, -1)::text,
           'attribute options', to_jsonb(a.attoptions)))
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
WHERE r.kind IN ('r', 'p', 'f')
"""

_TABLES = """
SELECT 'table', r.name, r.name, 'pg_class'::regclass::oid, r.oid, 0,
       jsonb_build_object(
           'name', r.name,
           'kind', CASE r.kind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
                   ELSE 'foreign table' END,
           'persistence', CASE r.persistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END,
           'partition key', CASE WHEN r.kind = 'p' THEN pg_get_partkeydef(r.oid) END,
           'inherits', (SELECT jsonb_agg(i.inhparent::regclass::text ORDER BY i.inhseqno)
                        FROM pg_inherits i WHERE i.inhrelid = r.oid),
           'options', to_jsonb(r.options),
           'row security', CASE WHEN r.row_security THEN
                           CASE WHEN r.forced THEN 'forced' ELSE 'enabled' END END,
           'comment', obj_description(r.oid, 'pg_class'))
       || jsonb_strip_nulls(jsonb_build_object(
           'toast options', (SELECT to_jsonb(o.reloptions) FROM pg_class o WHERE o.oid = r.toast),
           'cluster index', (SELECT i.indexrelid::regclass::text FROM pg_index i
                            WHERE i.indrelid = r.oid AND i.indisclustered),
           'replica identity', CASE r.replica_identity WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
               WHEN 'i' THEN (SELECT 'USING INDEX ' || i.indexrelid::regclass::text FROM pg_index i
                              WHERE i.indrelid = r.oid AND i.indisreplident) END))
FROM relation r WHERE r.kind IN ('r', 'p', 'f')
"""

_PARTITIONS = """
SELECT 'partition', c.relname, p.relname, 'pg_class'::regclass::oid, c.oid, 0,
       jsonb_build_object('name', c.relname, 'table', p.relname,
                          'bound', pg_get_expr(c.relpartbound, c.oid, true))
       || jsonb_strip_nulls(jsonb_build_object('options', to_jsonb(c.reloptions),
                                               'comment', obj_description(c.oid, 'pg_class')))
FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_class p ON p.oid = i.inhparent
WHERE c.relnamespace = (SELECT oid FROM namespace) AND c.relispartition
  AND c.relkind IN ('r', 'p', 'f')
"""

# The index of a constraint is part of the constraint, that of a partition part of its parent's.
_INDEXES = """
SELECT 'index', c.relname, r.name, 'pg_class'::regclass::oid, c.oid, 0,
       jsonb_build_object(
           'table', r.name, 'name', c.relname,
           'definition', regexp_replace(pg_get_indexdef(c.oid, 0, true), '^(.*?) ON ONLY ',
                                        '\\1 ON '),
           'unique', i.indisunique,
           'valid', i.indisvalid AND i.indisready,
           'comment', obj_description(c.oid, 'pg_class'))
       || jsonb_strip_nulls(jsonb_build_object(
           'statistics', (SELECT jsonb_agg(a.attnum || ' ' || a.attstattarget ORDER BY a.attnum)
                          FROM pg_attribute a
                          WHERE a.attrelid = c.oid AND a.attstattarget >= 0)))
FROM pg_index i JOIN relation r ON r.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint k
                  WHERE k.conindid = c.oid AND k.conrelid = r.oid AND k.contype IN ('p', 'u', 'x'))
"""

_SEQUENCES = """
SELECT 'sequence', s.name, coalesce(s.table_name, s.name), 'pg_class'::regclass::oid, s.oid, 0,
       jsonb_build_object('name', s.name,
                          'definition', 'AS ' || format_type(s.type, NULL) || ' ' || s.options,
                          'owned by', s.table_name || '.' || s.column_name,
                          'comment', obj_description(s.oid, 'pg_class'))
FROM sequence s WHERE s.dependency IS DISTINCT FROM 'i'
"""

_TYPES = """
SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'type' END,
       t.typname, t.typname, 'pg_type'::regclass::oid, t.oid, 0,
       jsonb_build_object('name', t.typname, 'comment', obj_description(t.oid, 'pg_type'))
       || CASE t.typtype
       WHEN 'e' THEN jsonb_build_object(
           'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder)
                      FROM pg_enum e WHERE e.enumtypid = t.oid))
       WHEN 'd' THEN jsonb_build_object(
           'type', format_type(t.typbasetype, t.typtypmod),
           'collation', CASE WHEN t.typcollation <> b.typcollation
                        THEN t.typcollation::regcollation::text END,
           'not null', t.typnotnull,
           'default', t.typdefault,
           'checks', (SELECT jsonb_agg(quote_ident(k.conname) || ' '
                                       || pg_get_constraintdef(k.oid, true) ORDER BY k.conname)
                      FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))
       WHEN 'c' THEN jsonb_build_object(
           'definition', (SELECT '(' || string_agg(quote_ident(a.attname) || ' '
                                 || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
                                 || ')'
                          FROM pg_attribute a
                          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))
       ELSE jsonb_build_object(
           'definition', (SELECT 'RANGE (SUBTYPE = ' || format_type(g.rngsubtype, NULL) || ')'
                          FROM pg_range g WHERE g.rngtypid = t.oid)) END
FROM pg_type t LEFT JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.typnamespace = (SELECT oid FROM namespace)
  AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM member m WHERE m.objid = t.oid)
"""

_VIEWS = """
SELECT CASE r.kind WHEN 'v' THEN 'view' ELSE 'materialized view' END, r.name, r.name,
       'pg_class'::regclass::oid, r.oid, 0,
       jsonb_build_object(
           'name', r.name,
           'definition', pg_get_viewdef(r.oid, true),
           'columns', (SELECT jsonb_agg(quote_ident(a.attname) || ' '
                              || format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum)
                       FROM pg_attribute a
                       WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped),
           'options', to_jsonb(r.options),
           'comment', obj_description(r.oid, 'pg_class'))
       || jsonb_strip_nulls(jsonb_build_object(
           'column comments', (SELECT jsonb_agg(quote_ident(a.attname) || ' ' || d.description
                                                ORDER BY a.attnum)
                               FROM pg_attribute a JOIN pg_description d
                                    ON d.classoid = 'pg_class'::regclass AND d.objoid = r.oid
                                       AND d.objsubid = a.attnum
                               WHERE a.attrelid = r.oid)))
FROM relation r WHERE r.kind IN ('v', 'm')
"""

# pg_get_functiondef writes the schema's name before the function's; it is cut out by its length.
_FUNCTIONS = """
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
       p.proname || '(' || oidvectortypes(p.proargtypes) || ')', p.proname,
       'pg_proc'::regclass::oid, p.oid, 0,
       jsonb_build_object(
           'name', p.proname,
           'definition', CASE p.prokind WHEN 'a' THEN
               (SELECT format('(SFUNC = %s, STYPE = %s%s%s)', a.aggtransfn,
                              format_type(a.aggtranstype, NULL),
                              nullif(', FINALFUNC = ' || a.aggfinalfn, ', FINALFUNC = -'),
                              ', INITCOND = ' || quote_literal(a.agginitval))
                FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
               ELSE h.head || substr(pg_get_functiondef(p.oid),
                                     length(h.head || quote_ident(CAST(:schema AS text))) + 2) END,
           'arguments', pg_get_function_arguments(p.oid),
           'returns', pg_get_function_result(p.oid),
           'language', l.lanname,
           'comment', obj_description(p.oid, 'pg_proc'))
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
CROSS JOIN LATERAL (SELECT 'CREATE OR REPLACE '
                    || CASE p.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END AS head) h
WHERE p.pronamespace = (SELECT oid FROM namespace)
  AND NOT EXISTS (SELECT FROM member m WHERE m.objid = p.oid)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                  AND d.objid = p.oid AND d.deptype = 'i')
"""

KINDS = (
    _TABLES,
    _PARTITIONS,
    _COLUMNS,
    _CONSTRAINTS,
    _INDEXES,
    _SEQUENCES,
    _TYPES,
    _VIEWS,
    _FUNCTIONS,
    *ATTACHED,
    *BESIDE,
)

# A partition is shown by its bound; what it has comes from its parent.
_COMMON = """
WITH namespace AS (SELECT oid FROM pg_namespace WHERE nspname = CAST(:schema AS text)),
member AS (SELECT objid FROM pg_depend WHERE deptype = 'e'),
relation AS (
    SELECT c.oid, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
           c.reloptions AS options, c.relrowsecurity AS row_security,
           c.relforcerowsecurity AS forced, c.relreplident AS replica_identity,
           c.reltoastrelid AS toast
    FROM pg_class c
    WHERE c.relnamespace = (SELECT oid FROM namespace) AND NOT c.relispartition
      AND NOT EXISTS (SELECT FROM member m WHERE m.objid = c.oid)),
sequence AS (
    SELECT r.oid, r.name, q.seqtypid AS type, d.deptype AS dependency, d.refobjid AS table_oid,
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
OBJECTS = _COMMON + "UNION ALL".join(KINDS)
