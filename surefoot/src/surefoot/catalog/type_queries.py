"""The SELECT of each kind of object that belongs to no relation.

Types and routines; the extensions of the database by name (`plpgsql` is in every one); collations;
operators, operator classes, text search configurations and dictionaries by name; event triggers
that call one of the schema's functions.
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

_EXTENSIONS = """
SELECT 'extension', e.extname, e.extname, 'pg_extension'::regclass::oid, e.oid, 0,
       jsonb_build_object('name', e.extname)
FROM pg_extension e WHERE e.extname <> 'plpgsql'
"""

# Until PostgreSQL 16 the locale of ICU has a column of another name.
_COLLATIONS = """
SELECT 'collation', c.collname, c.collname, 'pg_collation'::regclass::oid, c.oid, 0,
       jsonb_build_object(
           'name', c.collname,
           'definition', '(PROVIDER = '
               || CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END
               || ', LOCALE = ' || quote_literal(coalesce(
                      c.collcollate, to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'))
               || CASE WHEN c.collisdeterministic THEN '' ELSE ', DETERMINISTIC = false' END || ')',
           'comment', obj_description(c.oid, 'pg_collation'))
FROM pg_collation c
WHERE c.collnamespace = (SELECT oid FROM namespace)
  AND NOT EXISTS (SELECT FROM member m WHERE m.objid = c.oid)
"""

# class, catalog, its name, namespace, and how the object is named in SQL
_NAMED = """
SELECT '{kind}', {named}, {named}, '{table}'::regclass::oid, o.oid, 0,
       jsonb_build_object('name', {named}, 'comment', obj_description(o.oid, '{table}'))
FROM {table} o
WHERE o.{prefix}namespace = (SELECT oid FROM namespace)
  AND NOT EXISTS (SELECT FROM member m WHERE m.objid = o.oid)
"""
_OPERATOR = """o.oprname || '(' || coalesce(format_type(nullif(o.oprleft, 0), NULL), 'NONE') || ', '
       || format_type(o.oprright, NULL) || ')'"""
_OPERATOR_CLASS = """quote_ident(o.opcname) || ' USING '
       || (SELECT a.amname FROM pg_am a WHERE a.oid = o.opcmethod)"""
_BY_NAME = (
    ("operator", "pg_operator", "opr", _OPERATOR),
    ("operator class", "pg_opclass", "opc", _OPERATOR_CLASS),
    ("text search configuration", "pg_ts_config", "cfg", "quote_ident(o.cfgname)"),
    ("text search dictionary", "pg_ts_dict", "dict", "quote_ident(o.dictname)"),
)

_EVENT_TRIGGERS = """
SELECT 'event trigger', v.evtname, v.evtname, 'pg_event_trigger'::regclass::oid, v.oid, 0,
       jsonb_build_object(
           'name', v.evtname,
           'definition', 'ON ' || v.evtevent
               || coalesce(' WHEN TAG IN ('
                           || (SELECT string_agg(quote_literal(tag), ', ' ORDER BY tag)
                               FROM unnest(v.evttags) tag) || ')', '')
               || ' EXECUTE FUNCTION ' || p.proname || '()',
           'enabled', CASE v.evtenabled WHEN 'O' THEN 'yes' WHEN 'D' THEN 'no'
                      WHEN 'R' THEN 'on replicas' ELSE 'always' END,
           'comment', obj_description(v.oid, 'pg_event_trigger'))
FROM pg_event_trigger v JOIN pg_proc p ON p.oid = v.evtfoid
WHERE p.pronamespace = (SELECT oid FROM namespace)
"""

TYPE_QUERIES = (
    _TYPES,
    _FUNCTIONS,
    _EXTENSIONS,
    _COLLATIONS,
    *(
        _NAMED.format(kind=kind, table=table, prefix=prefix, named=named)
        for kind, table, prefix, named in _BY_NAME
    ),
    _EVENT_TRIGGERS,
)
