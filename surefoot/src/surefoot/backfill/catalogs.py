"""Queries of the catalogs for what a backfill gives way to; $1 is the table as SQL writes it."""

# The table with its partitions, and the sessions of the backfill, on whatever machine. Not by
# pg_partition_tree(), which would wait for a lock on each.
_TABLES = """
    RECURSIVE tables AS (SELECT to_regclass($1)::oid AS oid
        UNION SELECT inhrelid FROM pg_inherits JOIN tables ON oid = inhparent)"""
_OURS = """
    ours AS (SELECT pid FROM pg_stat_activity WHERE pid = pg_backend_pid()
        OR split_part(application_name, '@', 1)
            = nullif(split_part(current_setting('application_name'), '@', 1), ''))"""
# What a role may not see is null in these views. A vacuum holds back no other; an autovacuum has no
# user.
SEEN = f"""
WITH {_TABLES.strip()}, {_OURS.strip()},
    replicas AS (SELECT r.*, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) AS behind
        FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
        WHERE slot_type IS DISTINCT FROM 'logical'),
    others AS (SELECT * FROM pg_stat_activity
        WHERE datname = current_database() AND usesysid IS NOT NULL
        AND pid NOT IN (SELECT pid FROM ours)
        AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)),
    old AS (
        SELECT format('a transaction of %s (pid %s)', coalesce(nullif(application_name, ''),
            usename), pid) AS whose, xact_start AS since
        FROM others WHERE coalesce(backend_xmin, backend_xid) IS NOT NULL AND xact_start IS NOT NULL
        UNION ALL SELECT format('the prepared transaction %s', gid), prepared
        FROM pg_prepared_xacts WHERE database = current_database()),
    vacuums AS (SELECT * FROM pg_stat_progress_vacuum
        WHERE datname = current_database() AND pid NOT IN (SELECT pid FROM ours))
SELECT jsonb_build_object(
    'at_s', extract(epoch FROM clock_timestamp()),
    'wal_bytes', pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0'),
    'replicas', (SELECT coalesce(jsonb_agg(jsonb_build_array(application_name,
        extract(epoch FROM replay_lag), behind)), '[]') FROM replicas WHERE behind IS NOT NULL),
    'hidden_replicas', (SELECT count(*) FROM replicas WHERE state IS NULL),
    'slots', (SELECT coalesce(jsonb_agg(jsonb_build_array(slot_name,
        pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), wal_status)), '[]')
        FROM pg_replication_slots WHERE slot_type = 'logical'),
    'waiting', (SELECT count(DISTINCT pid) FROM pg_locks JOIN tables ON oid = relation
        WHERE NOT granted AND pid NOT IN (SELECT pid FROM ours)
        AND database = (SELECT d.oid FROM pg_database d WHERE datname = current_database())),
    'oldest', (SELECT jsonb_build_array(whose, extract(epoch FROM clock_timestamp() - since))
        FROM old ORDER BY since LIMIT 1),
    'hidden_sessions', (SELECT count(*) FROM others WHERE query = '<insufficient privilege>'),
    'vacuums', (SELECT coalesce(jsonb_agg(jsonb_build_array(relid::regclass,
        CASE WHEN backend_type = 'autovacuum worker' THEN 'autovacuum' ELSE 'VACUUM' END)), '[]')
        FROM vacuums JOIN tables ON oid = relid LEFT JOIN pg_stat_activity USING (pid)),
    'hidden_vacuums', (SELECT count(*) FROM vacuums WHERE relid IS NULL),
    'failed_file', (SELECT last_failed_wal FROM pg_stat_archiver
        WHERE last_failed_time > coalesce(last_archived_time, '-infinity')
        AND current_setting('archive_mode') <> 'off'),
    'may_count', CASE WHEN current_setting('archive_mode') <> 'off'
        THEN has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE') END,
    'is_table', to_regclass($1) IS NOT NULL)::text
"""  # noqa: S608 - all parts are constants
ARCHIVED = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
# The name, dead rows, those that have ever died, all rows, and the dead rows at which autovacuum
# comes; a table that was never analyzed has -1 rows. Not from pg_stat_all_tables, which looks at
# the indexes of all tables.
DEAD = f"""
WITH {_TABLES.strip()}, own AS (
    SELECT c.oid, option_name AS name, option_value::float8 AS value
    FROM pg_class c JOIN tables USING (oid), pg_options_to_table(reloptions)
    WHERE option_name LIKE 'autovacuum_vacuum%')
SELECT oid::regclass::text, pg_stat_get_dead_tuples(oid),
    pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid),
    greatest(reltuples, pg_stat_get_live_tuples(oid)),
    coalesce((SELECT value FROM own WHERE own.oid = c.oid AND name = 'autovacuum_vacuum_threshold'),
        current_setting('autovacuum_vacuum_threshold')::float8)
    + greatest(reltuples, 0) * coalesce(
        (SELECT value FROM own WHERE own.oid = c.oid AND name = 'autovacuum_vacuum_scale_factor'),
        current_setting('autovacuum_vacuum_scale_factor')::float8)
FROM pg_class c JOIN tables USING (oid) WHERE relkind = 'r'
"""  # noqa: S608 - the same
