"""The SELECT of each kind of object that is a relation or belongs to one.

Tables, partitions, columns, constraints, indexes, sequences, views; triggers, rules, policies and
extended statistics. `queries` says which columns they give.
"""

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

_TRIGGERS = """
SELECT 'trigger', r.name || '.' || t.tgname, r.name, 'pg_trigger'::regclass::oid, t.oid, 0,
       jsonb_build_object(
           'table', r.name, 'name', t.tgname,
           'definition', pg_get_triggerdef(t.oid, true),
           'enabled', CASE t.tgenabled WHEN 'O' THEN 'yes' WHEN 'D' THEN 'no'
                      WHEN 'R' THEN 'on replicas' ELSE 'always' END,
           'comment', obj_description(t.oid, 'pg_trigger'))
FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
"""

_RULES = """
SELECT 'rule', r.name || '.' || w.rulename, r.name, 'pg_rewrite'::regclass::oid, w.oid, 0,
       jsonb_build_object('table', r.name, 'name', w.rulename,
                          'definition', pg_get_ruledef(w.oid, true),
                          'comment', obj_description(w.oid, 'pg_rewrite'))
       || jsonb_strip_nulls(jsonb_build_object(
           'firing', CASE w.ev_enabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas'
                    WHEN 'A' THEN 'always' END))
FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
"""

_POLICIES = """
SELECT 'policy', r.name || '.' || p.polname, r.name, 'pg_policy'::regclass::oid, p.oid, 0,
       jsonb_build_object(
           'table', r.name, 'name', p.polname,
           'definition', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END
               || ' FOR ' || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
                             WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END
               || ' TO ' || (SELECT string_agg(CASE o WHEN 0 THEN 'public'
                                               ELSE pg_get_userbyid(o) END, ', ' ORDER BY o)
                             FROM unnest(p.polroles) o)
               || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid, true) || ')', '')
               || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid, true)
                           || ')', ''),
           'comment', obj_description(p.oid, 'pg_policy'))
FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
"""

_STATISTICS = """
SELECT 'statistics', s.stxname, r.name, 'pg_statistic_ext'::regclass::oid, s.oid, 0,
       jsonb_build_object(
           'table', r.name, 'name', s.stxname,
           'definition', 'CREATE STATISTICS '
               || substr(pg_get_statisticsobjdef(s.oid),
                         length('CREATE STATISTICS ' || quote_ident(CAST(:schema AS text))) + 2),
           'comment', obj_description(s.oid, 'pg_statistic_ext'))
       || jsonb_strip_nulls(jsonb_build_object(
           'target', nullif(s.stxstattarget, -1)::text))
FROM pg_statistic_ext s JOIN relation r ON r.oid = s.stxrelid
"""

RELATION_QUERIES = (
    _TABLES,
    _PARTITIONS,
    _COLUMNS,
    _CONSTRAINTS,
    _INDEXES,
    _SEQUENCES,
    _VIEWS,
    _TRIGGERS,
    _RULES,
    _POLICIES,
    _STATISTICS,
)
