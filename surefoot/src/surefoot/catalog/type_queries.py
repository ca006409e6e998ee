"""The SELECT of each kind of object that belongs to no relation.

Types and routines; the extensions of the database by name (`plpgsql` is in every one); collations;
operators, operator classes, text search configurations and dictionaries by name; event triggers
that call one of the schema's functions. `queries` says which columns they give.
"""

TYPE_QUERIES = {
    ("enum", "pg_type"): """
SELECT t.oid, t.typname AS name, (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder)
                                  FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels
FROM pg_type t WHERE t.typnamespace = (SELECT oid FROM namespace) AND t.typtype = 'e'
""",
    # `typdefault` has the names as the session wrote them that set it.
    ("domain", "pg_type"): """
SELECT t.oid, t.typname AS name, format_type(t.typbasetype, t.typtypmod) AS type,
       nullif(t.typcollation, b.typcollation)::regcollation AS collation,
       t.typnotnull AS not_null, pg_get_expr(t.typdefaultbin, 0) AS default,
       (SELECT array_agg(quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid, true)
                         ORDER BY k.conname)
        FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c') AS checks
FROM pg_type t JOIN pg_type b ON b.oid = t.typbasetype
WHERE t.typnamespace = (SELECT oid FROM namespace) AND t.typtype = 'd'
""",
    ("type", "pg_type"): """
SELECT t.oid, t.typname AS name, CASE t.typtype WHEN 'r' THEN
           (SELECT 'RANGE (SUBTYPE = ' || format_type(g.rngsubtype, NULL)
                || coalesce(', MULTIRANGE_TYPE_NAME = ' || quote_ident(nullif(m.typname,
                    CASE WHEN t.typname ~ 'range' THEN regexp_replace(t.typname, 'range',
                    'multirange') ELSE t.typname || '_multirange' END)), '') || ')'
            FROM pg_range g JOIN pg_type m ON m.oid = g.rngmultitypid WHERE g.rngtypid = t.oid)
       ELSE (SELECT '(' || string_agg(quote_ident(a.attname) || ' '
                    || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) || ')'
             FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END AS definition
FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
WHERE t.typnamespace = (SELECT oid FROM namespace)
  AND (t.typtype = 'r' OR t.typtype = 'c' AND c.oid IS NOT NULL)
""",
    # pg_get_functiondef writes the schema's name before the function's; its length cuts it out.
    ("function", "pg_proc"): """
SELECT p.oid, p.proname AS name, p.proname || '(' || oidvectortypes(p.proargtypes) || ')' AS key,
       CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' END AS object,
       CASE p.prokind WHEN 'a' THEN
           (SELECT format('(SFUNC = %s, STYPE = %s%s%s)', a.aggtransfn,
                          format_type(a.aggtranstype, NULL),
                          nullif(', FINALFUNC = ' || a.aggfinalfn, ', FINALFUNC = -'),
                          ', INITCOND = ' || quote_literal(a.agginitval))
            FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
       ELSE h.head || substr(pg_get_functiondef(p.oid),
                             length(h.head || quote_ident(:schema)) + 2) END AS definition,
       pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS returns,
       (SELECT l.lanname FROM pg_language l WHERE l.oid = p.prolang) AS language
FROM pg_proc p, LATERAL (SELECT CASE p.prokind WHEN 'p' THEN 'CREATE OR REPLACE PROCEDURE '
                                ELSE 'CREATE OR REPLACE FUNCTION ' END AS head) h
WHERE p.pronamespace = (SELECT oid FROM namespace)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                  AND d.objid = p.oid AND d.deptype = 'i')
""",
    # The comment of an extension comes with its version.
    ("extension", "pg_extension"): """
SELECT e.oid, e.extname AS name, NULL AS comment, n.nspname AS schema
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql'
""",
    # Until PostgreSQL 16 the locale of ICU has a column of another name.
    ("collation", "pg_collation"): """
SELECT c.oid, c.collname AS name,
       '(PROVIDER = '
       || CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END
       || ', LOCALE = ' || quote_literal(coalesce(
              c.collcollate, to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'))
       || CASE WHEN c.collisdeterministic THEN '' ELSE ', DETERMINISTIC = false' END || ')'
           AS definition
FROM pg_collation c WHERE c.collnamespace = (SELECT oid FROM namespace)
""",
    ("operator", "pg_operator"): """
SELECT o.oid, o.oprname || '(' || coalesce(format_type(nullif(o.oprleft, 0), NULL), 'NONE') || ', '
       || format_type(o.oprright, NULL) || ')' AS name
FROM pg_operator o WHERE o.oprnamespace = (SELECT oid FROM namespace)
""",
    ("operator class", "pg_opclass"): """
SELECT o.oid, quote_ident(o.opcname) || ' USING ' || quote_ident(a.amname) AS name
FROM pg_opclass o JOIN pg_am a ON a.oid = o.opcmethod
WHERE o.opcnamespace = (SELECT oid FROM namespace)
""",
    ("text search configuration", "pg_ts_config"): """
SELECT oid, quote_ident(cfgname) AS name
FROM pg_ts_config WHERE cfgnamespace = (SELECT oid FROM namespace)
""",
    ("text search dictionary", "pg_ts_dict"): """
SELECT oid, quote_ident(dictname) AS name
FROM pg_ts_dict WHERE dictnamespace = (SELECT oid FROM namespace)
""",
    ("event trigger", "pg_event_trigger"): """
SELECT v.oid, v.evtname AS name,
       coalesce((SELECT word FROM state WHERE letter = v.evtenabled), 'yes') AS enabled,
       'ON ' || v.evtevent
       || coalesce(' WHEN TAG IN ('
                   || (SELECT string_agg(quote_literal(tag), ', ' ORDER BY tag)
                       FROM unnest(v.evttags) tag) || ')', '')
       || ' EXECUTE FUNCTION ' || quote_ident(p.proname) || '()' AS definition
FROM pg_event_trigger v JOIN pg_proc p ON p.oid = v.evtfoid
WHERE p.pronamespace = (SELECT oid FROM namespace)
""",
}
