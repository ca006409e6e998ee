"""Trials are SQL that finds the functions and triggers that a revision leaves unable to run.

Each is one block, whose result is the setting `surefoot.refused`; the condition on words is `$1`.
"""

from surefoot.quoting import label_sql
from surefoot.trace.provision_query import LAST_OF_SERVER

# The bodies of SQL functions that match, in a text: PostgreSQL reads them when they are made.
BODIES = f"""DO $surefoot$ DECLARE f record; refused jsonb := '{{}}'; BEGIN
FOR f IN SELECT p.oid, {label_sql("nspname", "proname")} AS name FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = prolang
    WHERE p.oid > {LAST_OF_SERVER} AND lanname = 'sql' AND prosqlbody IS NULL AND prokind <> 'a'
    AND concat(proname, ' ', prosrc) ~* $1 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend
        WHERE objid = p.oid AND classid = 'pg_proc'::regclass AND deptype = 'e') LOOP
    BEGIN
        EXECUTE pg_catalog.pg_get_functiondef(f.oid);
        RAISE SQLSTATE 'SF000';
    EXCEPTION WHEN OTHERS THEN
        IF SQLSTATE LIKE '42%' AND SQLSTATE <> '42501' THEN
            refused := refused || jsonb_build_object(f.name, SQLERRM);
        END IF;
    END;
END LOOP;
PERFORM pg_catalog.set_config('surefoot.refused', refused::text, true); END $surefoot$"""  # noqa: S608

# The triggers that match, as PostgreSQL reads the body of one when it runs: a row of its table is
# updated, deleted, or inserted again, which is undone.
TRIGGERS = f"""DO $surefoot$ DECLARE t record; found record; failed jsonb := '{{}}'; said text;
BEGIN FOR t IN SELECT tgname || ' on ' || {label_sql("nspname", "relname")} AS name, event, proname,
        tgrelid::regclass AS place, columns.* FROM pg_catalog.pg_trigger
    JOIN pg_catalog.pg_class c ON c.oid = tgrelid AND relkind IN ('r', 'p')
    JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    JOIN pg_catalog.pg_proc p ON p.oid = tgfoid
    JOIN (VALUES (4), (8), (16)) AS events(event) ON tgtype & event > 0
    CROSS JOIN LATERAL (SELECT string_agg(quote_ident(attname), ', ') AS given,
        (array_agg(quote_ident(attname) ORDER BY attnum = ANY (tgattr) DESC, attnum)
            FILTER (WHERE attidentity <> 'a'))[1] AS first FROM pg_catalog.pg_attribute
        WHERE attrelid = tgrelid AND attnum > 0 AND attgenerated = '' AND NOT attisdropped) columns
    WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgparentid = 0
    AND concat_ws(' ', tgname, relname, proname, prosrc) ~* $1 LOOP
    BEGIN
        EXECUTE format('SELECT tableoid, ctid, r AS row FROM %s AS r LIMIT 1', t.place) INTO found;
        PERFORM set_config('session_replication_role', 'replica', true) WHERE t.event = 4;
        EXECUTE format(CASE t.event WHEN 16 THEN 'UPDATE %s SET %s = %2$s' ELSE 'DELETE FROM %s' END
            || ' WHERE tableoid = $1 AND ctid = $2', t.place, t.first)
            USING found.tableoid, found.ctid;
        IF t.event = 4 THEN
            PERFORM set_config('session_replication_role', 'origin', true);
            EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s '
                'FROM (SELECT ($1).*) AS r', t.place, t.given) USING found.row;
        END IF;
        RAISE SQLSTATE 'SF000';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS said = PG_EXCEPTION_CONTEXT;
        IF SQLSTATE IN ('42703', '42P01', '42883', '42804', '42702')
                AND position(t.proname || '(' IN said) > 0 THEN
            failed := failed || jsonb_build_object(t.name, SQLERRM);
        END IF;
    END;
END LOOP;
PERFORM pg_catalog.set_config('surefoot.refused', failed::text, true); END $surefoot$"""  # noqa: S608
