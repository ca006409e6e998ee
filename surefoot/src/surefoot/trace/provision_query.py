"""PROVISIONS is the part of a Snapshot's query that reads the objects a release relies on.

Those of extensions, and those that PostgreSQL made for another object, come and go with it.
"""

from functools import partial

from surefoot.quoting import IN_STEP, label_sql
from surefoot.scratch import UNCOMMITTED

# The last oid of a system object. Each catalog has thousands of them, and a filter by schema would
# read them all. Not 16384, the first oid of a user's object: PostgreSQL would take it in a plan for
# a dependency on that relation, and plan again with each change of the first table.
LAST_OF_SERVER = 16383
# A condition that is not on the row of the trigger alone.
_CHOOSES = r"'\mIF\M[^;]*\m(SELECT|EXISTS|current_setting)\M[^;]*\mTHEN\M'"
_RAISES = r"prosrc ~* '\mRAISE\s+(EXCEPTION|SQLSTATE|USING|'')'"


def rights(acl: str, kind: str, owner: str) -> str:
    """SQL: who may do what by an access control list; where there is none, by the usual one."""
    return (
        "(SELECT json_agg(CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END "  # noqa: S608 - constants
        f"|| ' ' || privilege_type) FROM aclexplode(coalesce({acl}, "
        f"acldefault({kind}, {owner}))))"
    )


def _own(catalog: str, oid: str) -> str:
    return (
        f"{oid} > {LAST_OF_SERVER} AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = {oid} "
        f"AND classid = '{catalog}'::regclass AND deptype IN ('e', 'i'))"
    )


_label = partial(label_sql, "nspname")
_PUBLISHED = (
    f"{_label('relname')} FROM pg_publication_rel JOIN pg_class ON pg_class.oid = prrelid "
    "JOIN pg_namespace ON pg_namespace.oid = relnamespace"
)
# Published tables whose UPDATE or DELETE fails: their replica identity is no key, or it has none of
# the columns of a row filter, or a list of columns leaves a part of it out.
_REFUSING = f"""SELECT {_label("relname")} FROM pg_class c JOIN pg_namespace n
        ON n.oid = relnamespace
    LEFT JOIN pg_publication_rel r ON prpubid = p.oid AND prrelid = c.oid
    LEFT JOIN LATERAL (SELECT indkey::smallint[] AS key FROM pg_index WHERE indrelid = c.oid
        AND CASE relreplident WHEN 'd' THEN indisprimary ELSE indisreplident END) AS i ON true
    WHERE (pubupdate OR pubdelete) AND relkind IN ('r', 'p') AND relpersistence = 'p'
    AND c.oid > {LAST_OF_SERVER} AND nspname <> 'information_schema' AND (r.oid IS NOT NULL
        OR puballtables OR relnamespace IN (SELECT pnnspid FROM pg_publication_namespace
            WHERE pnpubid = p.oid))
    AND relreplident <> 'f' AND (key IS NULL OR NOT key <@ coalesce(prattrs::smallint[], key)
        OR EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_publication_rel'::regclass
            AND prqual IS NOT NULL AND objid = r.oid AND refobjsubid > 0
            AND refobjsubid <> ALL (key)))"""  # noqa: S608 - constants
_OF_DEFAULTS = "CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END"
# A call that leaves the defaults out may mean either.
_AMBIGUOUS = """EXISTS (SELECT FROM pg_proc o, greatest(p.pronargs - p.pronargdefaults,
        o.pronargs - o.pronargdefaults) AS n WHERE o.proname = p.proname AND o.oid <> p.oid
        AND o.pronamespace = p.pronamespace AND p.pronargdefaults + o.pronargdefaults > 0
        AND n <= least(p.pronargs, o.pronargs)
        AND (p.proargtypes::oid[])[0:n - 1] = (o.proargtypes::oid[])[0:n - 1])"""
# Of a function: the indexes, checks and stored columns that hold, or were decided by, its results.
_KEPT = """(SELECT json_agg(pg_describe_object(classid, objid, objsubid)) FROM pg_depend
        WHERE refclassid = 'pg_proc'::regclass AND refobjid = p.oid AND (classid IN
        ('pg_class'::regclass, 'pg_constraint'::regclass) OR classid = 'pg_attrdef'::regclass
        AND EXISTS (SELECT FROM pg_attrdef d JOIN pg_attribute ON attrelid = adrelid
            AND attnum = adnum WHERE d.oid = objid AND attgenerated = 's')))"""
# A trigger function that may write other rows than its own.
_WRITES = r"prosrc ~* '(^|[^''])\m(UPDATE|DELETE|MERGE|TRUNCATE|EXECUTE|PERFORM|CALL)\M'"
# That of op.keep_in_step changes its own row alone, and looks at nothing but defaults.
_IS_FREE = f"NOT starts_with(proname, '{IN_STEP}')"
PROVISIONS = rf"""
SELECT json_agg(json_build_array(noun, oid::bigint, name, relation::bigint, terms)) FROM (
SELECT CASE prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate'
        ELSE CASE WHEN prorettype IN ('trigger'::regtype, 'event_trigger'::regtype)
        THEN 'trigger function' ELSE 'function' END END AS noun, p.oid,
    {_label("proname")} || '(' || oidvectortypes(proargtypes) || ')' AS name, 0 AS relation,
    json_build_object('result', pg_get_function_result(p.oid), 'strict', proisstrict,
        'definer', prosecdef, 'called', {_label("proname")}, 'arguments', proargtypes::oid[],
        'optional', pronargdefaults, 'names', proargnames, 'ambiguous', {_AMBIGUOUS}, 'rights',
        {rights("proacl", "'f'", "proowner")}, 'settings', proconfig,
        'body', md5(concat(prosrc, prosqlbody::text)), 'kept', {_KEPT},
        'computes', (SELECT md5(to_jsonb(a)::text) FROM pg_aggregate a
            WHERE prokind = 'a' AND aggfnoid = p.oid)) AS terms
    FROM pg_proc p JOIN spaces ON spaces.oid = pronamespace WHERE {_own("pg_proc", "p.oid")}
UNION ALL SELECT 'type', t.oid, {_label("typname")}, 0,
    json_build_object('base', CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod) END,
        'default', typdefault, 'required', typnotnull OR EXISTS (SELECT FROM pg_attribute
            WHERE typtype = 'd' AND atttypid = t.oid AND attnotnull AND NOT atthasdef),
        'labels', (SELECT json_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum
            WHERE enumtypid = t.oid),
        'attributes', (SELECT json_agg(attname || ' ' || format_type(atttypid, atttypmod))
            FROM pg_attribute WHERE attrelid = typrelid AND attnum > 0 AND NOT attisdropped))
    FROM pg_type t JOIN spaces ON spaces.oid = typnamespace
    LEFT JOIN pg_class r ON r.oid = typrelid
    WHERE (typtype IN ('d', 'e', 'r') OR r.relkind = 'c') AND {_own("pg_type", "t.oid")}
UNION ALL SELECT 'trigger', t.oid, tgname, tgrelid,
    json_build_object('enabled', tgenabled IN ('O', 'A'), 'runs', tgfoid::bigint,
        'when', json_build_array(tgtype, tgattr::text, CASE WHEN tgqual IS NOT NULL
            THEN substring(pg_get_triggerdef(t.oid) FROM ' WHEN (.*) EXECUTE ') END),
        'uses', (SELECT json_agg(DISTINCT lower(m[2]))
            FROM regexp_matches(prosrc, '\m(new|old)\.(\w+)', 'gi') AS m WHERE tgenabled <> 'D'),
        'refuses', {_RAISES} OR (tgtype & 3 = 3 AND prosrc ~* '\mRETURN\s+NULL'),
        'writes', {_WRITES} AND {_IS_FREE},
        'chooses', CASE WHEN prosrc ~* {_CHOOSES} AND {_IS_FREE} THEN proname END)
    FROM pg_trigger t JOIN pg_proc f ON f.oid = tgfoid
    WHERE t.oid > {LAST_OF_SERVER} AND NOT tgisinternal AND tgparentid = 0
UNION ALL SELECT 'event trigger', e.oid, evtname, 0,
    json_build_object('enabled', evtenabled IN ('O', 'A'), 'when', json_build_array(evtevent,
        evttags))
    FROM pg_event_trigger e WHERE {_own("pg_event_trigger", "e.oid")}
UNION ALL SELECT 'constraint', t.oid, conname, tgrelid, '{{}}'
    FROM pg_trigger t JOIN pg_constraint c ON c.oid = tgconstraint
    WHERE t.oid > {LAST_OF_SERVER} AND tgisinternal AND tgenabled = 'D' AND tgparentid = 0
UNION ALL SELECT 'policy', p.oid, polname, polrelid,
    json_build_object('permissive', polpermissive, 'command', polcmd, 'roles', polroles::oid[],
        'covers', (SELECT json_agg(r.oid::regrole::text) FROM pg_roles r
            WHERE NOT relforcerowsecurity AND r.oid = relowner OR EXISTS (SELECT
            FROM unnest(polroles) AS t (of) WHERE of = 0 OR pg_has_role(r.oid, of, 'USAGE'))),
        'secured', relrowsecurity, 'using', pg_get_expr(polqual, polrelid),
        'check', pg_get_expr(polwithcheck, polrelid), 'beside', (SELECT json_agg(polname)
            FROM pg_policy o WHERE polrelid = p.polrelid AND o.oid < p.oid
            AND o.polpermissive AND p.polpermissive
            AND 'true' NOT IN (coalesce(pg_get_expr(polqual, polrelid), ''),
                coalesce(pg_get_expr(polwithcheck, polrelid), ''))
            AND (polcmd = p.polcmd OR '*' IN (polcmd, p.polcmd))
            AND (polroles && p.polroles OR 0 = ANY (polroles || p.polroles))))
    FROM pg_policy p JOIN pg_class c ON c.oid = polrelid
UNION ALL SELECT 'rule', w.oid, rulename, ev_class,
    json_build_object('instead', is_instead AND relkind <> 'v', 'event', ev_type,
        'conflicts', relkind <> 'v' AND ev_type IN ('2', '3'), 'enabled', ev_enabled IN ('O', 'A'))
    FROM pg_rewrite w JOIN pg_class c ON c.oid = ev_class
    WHERE w.oid > {LAST_OF_SERVER} AND rulename <> '_RETURN'
UNION ALL SELECT 'foreign key', oid, conname, conrelid,
    json_build_object('deletes', confdeltype, 'updates', confupdtype)
    FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND oid > {LAST_OF_SERVER}
    AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
UNION ALL SELECT 'extension', oid, extname, 0,
    json_build_object('schema', extnamespace::regnamespace::text) FROM pg_extension
    WHERE oid > {LAST_OF_SERVER}
UNION ALL SELECT 'schema', n.oid, n.nspname, 0,
    json_build_object('rights', {rights("nspacl", "'n'", "nspowner")})
    FROM pg_namespace n JOIN spaces ON spaces.oid = n.oid
UNION ALL SELECT 'operator', o.oid, {_label("oprname")} || '(' || format_type(oprleft, NULL) || ', '
        || format_type(oprright, NULL) || ')', 0, '{{}}'
    FROM pg_operator o JOIN spaces ON spaces.oid = oprnamespace WHERE {_own("pg_operator", "o.oid")}
UNION ALL SELECT 'collation', c.oid, {_label("collname")}, 0, '{{}}'
    FROM pg_collation c JOIN spaces ON spaces.oid = collnamespace
    WHERE {_own("pg_collation", "c.oid")}
UNION ALL SELECT 'cast', oid, format_type(castsource, NULL) || ' as '
        || format_type(casttarget, NULL), 0, json_build_object('implicit', castcontext = 'i')
    FROM pg_cast WHERE {_own("pg_cast", "pg_cast.oid")}
UNION ALL SELECT 'text search configuration', c.oid, {_label("cfgname")}, 0,
    json_build_object('does', (SELECT md5(json_agg(m ORDER BY maptokentype, mapseqno)::text)
        FROM pg_ts_config_map m WHERE mapcfg = c.oid))
    FROM pg_ts_config c JOIN spaces ON spaces.oid = cfgnamespace
    WHERE {_own("pg_ts_config", "c.oid")}
UNION ALL SELECT 'text search dictionary', d.oid, {_label("dictname")}, 0,
    json_build_object('does', dictinitoption)
    FROM pg_ts_dict d JOIN spaces ON spaces.oid = dictnamespace WHERE {_own("pg_ts_dict", "d.oid")}
UNION ALL SELECT 'server', oid, srvname, 0, json_build_object('does', md5(srvoptions::text))
    FROM pg_foreign_server
UNION ALL SELECT 'user mapping', umid, usename || ' on ' || srvname, 0,
    json_build_object('does', md5(umoptions::text)) FROM pg_user_mappings
UNION ALL SELECT 'foreign table', ftrelid, '', ftrelid,
    json_build_object('does', md5(ftoptions::text)) FROM pg_foreign_table
UNION ALL SELECT 'publication', p.oid, pubname, 0,
    json_build_object('tables', ARRAY(SELECT {_PUBLISHED} WHERE prpubid = p.oid),
        'limited', ARRAY(SELECT {_PUBLISHED}
            WHERE prpubid = p.oid AND (prqual IS NOT NULL OR prattrs IS NOT NULL)),
        'schemas', ARRAY(SELECT pnnspid::regnamespace::text FROM pg_publication_namespace
            WHERE pnpubid = p.oid), 'all', puballtables, 'root', pubviaroot, 'published',
        array_remove(ARRAY[CASE WHEN pubinsert THEN 'insert' END, CASE WHEN pubupdate THEN 'update'
        END, CASE WHEN pubdelete THEN 'delete' END, CASE WHEN pubtruncate THEN 'truncate' END],
        NULL), 'refusing', ARRAY({_REFUSING})) FROM pg_publication p
UNION ALL SELECT CASE setdatabase WHEN 0 THEN 'settings' ELSE 'settings here' END, setrole,
    concat_ws(' in ', NULLIF(setrole, 0)::regrole, datname), 0,
    json_build_object('set', to_json(setconfig))
    FROM (SELECT *, {UNCOMMITTED} AS is_ours FROM pg_db_role_setting) s
    LEFT JOIN pg_database d ON d.oid = setdatabase
    WHERE datname = current_database() OR setdatabase = 0 AND is_ours
UNION ALL SELECT 'default privileges', d.oid, concat_ws(' ', defaclrole::regrole, defaclobjtype,
        NULLIF(defaclnamespace, 0)::regnamespace), 0,
    json_build_object('rights', {rights("defaclacl", "'r'", "0")}, 'usual',
        CASE defaclnamespace WHEN 0 THEN {rights("NULL", _OF_DEFAULTS, "defaclrole")} END)
    FROM pg_default_acl d
) AS provisions"""  # noqa: S608 - all parts are constants
