"""What stands beside the tables and routines of a schema, most of it seen by name alone.

The extensions of the database, by name; `plpgsql` is in every one. Collations; operators, operator
classes, text search configurations and dictionaries by name; event triggers that call one of the
schema's functions.
"""

from __future__ import annotations

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

BESIDE = (
    _EXTENSIONS,
    _COLLATIONS,
    *(
        _NAMED.format(kind=kind, table=table, prefix=prefix, named=named)
        for kind, table, prefix, named in _BY_NAME
    ),
    _EVENT_TRIGGERS,
)
