"""What hangs on a table or a view: triggers, rules, policies, extended statistics."""

from __future__ import annotations

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

ATTACHED = (_TRIGGERS, _RULES, _POLICIES, _STATISTICS)
