"""The SELECT of each kind of object that is a relation or belongs to one.

Tables, partitions, columns, constraints, indexes, sequences, views; triggers, rules, policies and
extended statistics. `queries` says which columns they give.
"""

RELATION_QUERIES = {
    ("table", "pg_class"): """
SELECT c.oid, c.relname AS name, c.reloptions AS options,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
       ELSE 'foreign table' END AS kind,
       CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END AS persistence,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
       (SELECT array_agg(i.inhparent::regclass::text ORDER BY i.inhseqno)
        FROM pg_inherits i WHERE i.inhrelid = c.oid) AS inherits,
       CASE WHEN c.relrowsecurity THEN
           CASE WHEN c.relforcerowsecurity THEN 'forced' ELSE 'enabled' END END AS row_security,
       (SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid) AS toast_options,
       (SELECT i.indexrelid::regclass::text FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisclustered) AS cluster_index,
       CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
       WHEN 'i' THEN (SELECT 'USING INDEX ' || i.indexrelid::regclass FROM pg_index i
                      WHERE i.indrelid = c.oid AND i.indisreplident) END AS replica_identity
FROM relation c WHERE c.is_table
""",
    ("partition", "pg_class"): """
SELECT c.oid, c.relname AS name, p.relname AS table, c.reloptions AS options,
       pg_get_expr(c.relpartbound, c.oid, true) AS bound,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key
FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid JOIN pg_class p ON p.oid = i.inhparent
WHERE c.relnamespace = (SELECT oid FROM namespace) AND c.relispartition
  AND c.relkind IN ('r', 'p', 'f')
""",
    ("column", "pg_class"): """
SELECT r.oid, a.attnum AS part, a.attname AS name, r.relname AS table, a.attnotnull AS not_null,
       format_type(a.atttypid, a.atttypmod) AS type,
       nullif(a.attcollation, t.typcollation)::regcollation AS collation,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default,
       CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid, true)
           || CASE a.attgenerated WHEN 's' THEN ' STORED' ELSE ' VIRTUAL' END END AS generated,
       CASE WHEN a.attidentity <> '' THEN
           CASE a.attidentity WHEN 'a' THEN 'ALWAYS ' ELSE 'BY DEFAULT ' END
           || s.options END AS identity,
       CASE WHEN a.attstorage <> t.typstorage THEN
           (SELECT string_agg(CASE s.way WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL'
                              WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END, ' instead of '
                              ORDER BY s.turn)
            FROM (VALUES (a.attstorage, 1), (t.typstorage, 2)) AS s (way, turn)) END AS storage,
       CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
       nullif(a.attstattarget, -1) AS statistics, a.attoptions AS attribute_options,
       (SELECT description FROM pg_description WHERE objoid = r.oid AND objsubid = a.attnum
                                                 AND classoid = 'pg_class'::regclass) AS comment
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
LEFT JOIN sequence s ON s.dependency = 'i' AND s.table_oid = r.oid AND s.table_column = a.attnum
WHERE r.is_table
""",
    # PG 18 stores NOT NULL as constraints too: a column says it, and only one that was never
    # validated is worth a line. Constraints of a partition come from its parent, also checks of a
    # table that inherits them, whether it declares them too or not. Those of triggers are triggers.
    ("constraint", "pg_constraint"): """
SELECT k.oid, k.conname AS name, r.relname AS table, k.convalidated AS validated,
       CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' WHEN 'p' THEN 'primary key'
       WHEN 'u' THEN 'unique' WHEN 'x' THEN 'exclusion' ELSE 'not null' END AS type,
       regexp_replace(pg_get_constraintdef(k.oid, true), ' NOT VALID$', '') AS definition,
       CASE WHEN NOT i.indisvalid THEN 'invalid' END AS index_validity,
       x.reloptions AS index_options,
       (SELECT array_agg(DISTINCT 'off on ' || g.tgrelid::regclass) FROM pg_trigger g
        WHERE g.tgconstraint = k.oid AND g.tgisinternal AND g.tgenabled <> 'O') AS enforcement
FROM pg_constraint k JOIN relation r ON r.oid = k.conrelid
LEFT JOIN pg_index i ON i.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class x ON x.oid = i.indexrelid
WHERE r.is_table AND k.conparentid = 0 AND (k.coninhcount = 0 OR k.contype <> 'c')
  AND (k.contype IN ('c', 'f', 'p', 'u', 'x') OR k.contype = 'n' AND NOT k.convalidated)
""",
    # The index of a constraint is part of the constraint, that of a partition part of its parent's.
    ("index", "pg_class"): """
SELECT c.oid, c.relname AS name, r.relname AS table, i.indisunique AS unique,
       regexp_replace(pg_get_indexdef(c.oid, 0, true),
                      '^([^"]*?(?:"(?:[^"]|"")*")?) ON ONLY ', '\\1 ON ') AS definition,
       i.indisvalid AND i.indisready AS valid,
       (SELECT array_agg(a.attnum || ' ' || a.attstattarget ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0) AS statistics
FROM pg_index i JOIN relation r ON r.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint k
                  WHERE k.conindid = c.oid AND k.conrelid = r.oid AND k.contype IN ('p', 'u', 'x'))
""",
    ("sequence", "pg_class"): """
SELECT s.oid, s.relname AS name, coalesce(s.table_name, s.relname) AS relation,
       'AS ' || format_type(s.type, NULL) || ' ' || s.options AS definition,
       s.table_name || '.' || s.column_name AS owned_by
FROM sequence s WHERE s.dependency IS DISTINCT FROM 'i'
""",
    ("view", "pg_class"): """
SELECT v.oid, v.relname AS name, v.reloptions AS options, pg_get_viewdef(v.oid, true) AS definition,
       CASE v.relkind WHEN 'm' THEN 'materialized view' END AS object, a.*
FROM relation v, LATERAL (
    SELECT array_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod)
                     ORDER BY attnum) AS columns,
           array_agg(quote_ident(attname) || ' ' || description ORDER BY attnum)
               FILTER (WHERE description IS NOT NULL) AS column_comments
    FROM pg_attribute LEFT JOIN pg_description
         ON classoid = 'pg_class'::regclass AND objoid = attrelid AND objsubid = attnum
    WHERE attrelid = v.oid AND attnum > 0 AND NOT attisdropped) a
WHERE v.relkind IN ('v', 'm')
""",
    ("trigger", "pg_trigger"): """
SELECT t.oid, t.tgname AS name, r.relname AS table, pg_get_triggerdef(t.oid, true) AS definition,
       coalesce((SELECT word FROM state WHERE letter = t.tgenabled), 'yes') AS enabled
FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
""",
    ("rule", "pg_rewrite"): """
SELECT w.oid, w.rulename AS name, r.relname AS table, pg_get_ruledef(w.oid, true) AS definition,
       (SELECT word FROM state WHERE letter = w.ev_enabled) AS firing
FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
""",
    ("policy", "pg_policy"): """
SELECT p.oid, p.polname AS name, r.relname AS table,
       CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END || ' FOR '
       || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
          WHEN 'd' THEN 'DELETE' ELSE 'ALL' END
       || ' TO ' || (SELECT string_agg(o.role, ', ' ORDER BY o.role)
                     FROM (SELECT CASE role WHEN 0 THEN 'public'
                                  ELSE quote_ident(pg_get_userbyid(role)) END
                           FROM unnest(p.polroles) role) AS o (role))
       || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid, true) || ')', '')
       || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid, true) || ')', '')
           AS definition
FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
""",
    ("statistics", "pg_statistic_ext"): """
SELECT s.oid, s.stxname AS name, r.relname AS table, nullif(s.stxstattarget, -1) AS target,
       'CREATE STATISTICS '
       || substr(pg_get_statisticsobjdef(s.oid),
                 length('CREATE STATISTICS ' || quote_ident(:schema)) + 2) AS definition
FROM pg_statistic_ext s JOIN relation r ON r.oid = s.stxrelid
""",
}
