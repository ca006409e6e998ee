"""Changes that people make by hand in a database: name, statements, and the deviations.

The database holds the project's schema at head, the wide one, and a few further objects.
"""

from __future__ import annotations

from typing import NamedTuple


class HandMade(NamedTuple):
    """A change, and the titles of its deviations, in the order in which they can be repaired."""

    statements: str
    found: tuple[str, ...]
    # The note of a deviation that no statement repairs.
    note: str | None = None


def _one(statements: str, *found: str, note: str | None = None) -> HandMade:
    return HandMade(statements, found, note)


# Objects that neither schema has.
BESIDE = """
CREATE TABLE listed (id int) PARTITION BY LIST (id);
CREATE TABLE loose (id int);
CREATE TABLE listed_1 PARTITION OF listed FOR VALUES IN (5) PARTITION BY RANGE (id);
CREATE TABLE listed_1_1 PARTITION OF listed_1 FOR VALUES FROM (0) TO (9);
CREATE TABLE dotted (id int, "a.b" text DEFAULT 'x');
CREATE TYPE labels AS ENUM ('a', 'b');
CREATE TABLE labelled (one labels DEFAULT 'a', many labels[]);
INSERT INTO labelled VALUES ('b', '{a,b}');
CREATE TABLE ancestor (id int, name text);
CREATE TABLE heir (more int) INHERITS (ancestor);
CREATE TABLE replicated (n int NOT NULL);
CREATE UNIQUE INDEX replicated_n ON replicated (n);
ALTER TABLE replicated REPLICA IDENTITY USING INDEX replicated_n;
ALTER TABLE replicated CLUSTER ON replicated_n;
CREATE SEQUENCE counted;
CREATE TABLE numbered (n bigint DEFAULT nextval('counted'));
CREATE VIEW lower_view AS SELECT n FROM numbered;
CREATE VIEW upper_view AS SELECT n FROM lower_view;
CREATE COLLATION theirs (LOCALE = 'C');
CREATE TYPE span AS RANGE (subtype = float8, multirange_type_name = several);
CREATE TABLE spanned (one span, many several, all_of several[]);
CREATE TABLE sampled_pairs (a int, b int);
CREATE STATISTICS sampled ON a, b FROM sampled_pairs;
ALTER STATISTICS sampled SET STATISTICS 300;
CREATE RULE idle AS ON DELETE TO loose DO INSTEAD NOTHING;
ALTER TABLE loose DISABLE RULE idle;
CREATE OPERATOR @@@ (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text);
CREATE TEXT SEARCH DICTIONARY theirs (TEMPLATE = pg_catalog.simple);
"""
CHANGES = {
    "table added": _one(
        "CREATE TABLE notes (id int PRIMARY KEY, job bigint REFERENCES jobs, s job_status); "
        "CREATE INDEX ON notes (job)",
        "unexpected table notes",
    ),
    "index of a partitioned table added": _one(
        "CREATE INDEX ON listed (id, (id + 1))", "unexpected index listed_id_expr_idx"
    ),
    "column with a dot in its name dropped": _one(
        'ALTER TABLE dotted DROP "a.b"', "missing column dotted.a.b"
    ),
    "types that have no cast": _one(
        "CREATE TYPE others AS ENUM ('a', 'b'); ALTER TABLE loose ALTER id TYPE date USING NULL; "
        "ALTER TABLE labelled ALTER one DROP DEFAULT, "
        "ALTER one TYPE others USING one::text::others, "
        "ALTER many TYPE others[] USING many::text[]::others[]",
        "changed type of column labelled.many",
        "changed default and type of column labelled.one",
        "unexpected enum others",
        "changed type of column loose.id",
    ),
    "table dropped": _one("DROP TABLE job_results", "missing table job_results"),
    "table with all that a table has dropped": _one(
        "DROP TABLE b CASCADE",
        "missing table b",
        "missing view v1",
        "missing view v2",
        "missing view v3",
        "missing view v8",
    ),
    "tables that refer to each other dropped": _one(
        "DROP TABLE jobs, job_results",
        "missing table job_results",
        "missing table jobs",
        "missing constraint job_results.fk_job_results_job_id_jobs",
    ),
    "partitioned table dropped": _one("DROP TABLE part", "missing table part"),
    "table unlogged": _one(
        "ALTER TABLE api_keys SET UNLOGGED", "changed persistence of table api_keys"
    ),
    "table option": _one(
        "ALTER TABLE files SET (fillfactor = 70, toast.autovacuum_enabled = off)",
        "changed options and toast options of table files",
    ),
    "table option reset": _one("ALTER TABLE a RESET (fillfactor)", "changed options of table a"),
    "table comment": _one("COMMENT ON TABLE jobs IS 'Work'", "changed comment of table jobs"),
    "row security enabled": _one(
        "ALTER TABLE jobs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "changed row security of table jobs",
    ),
    "row security disabled": _one(
        "ALTER TABLE b DISABLE ROW LEVEL SECURITY", "changed row security of table b"
    ),
    "replica identity": _one(
        "ALTER TABLE jobs REPLICA IDENTITY FULL", "changed replica identity of table jobs"
    ),
    "index of the replica identity dropped": _one(
        "DROP INDEX replicated_n",
        "missing index replicated_n",
        "changed cluster index and replica identity of table replicated",
    ),
    "table with an index of its replica identity dropped": _one(
        "DROP TABLE replicated", "missing table replicated"
    ),
    "cluster": _one("ALTER TABLE jobs CLUSTER ON pk_jobs", "changed cluster index of table jobs"),
    "inheritance": _one("ALTER TABLE inh NO INHERIT ul", "changed inherits of table inh"),
    "table exchanged for a partitioned one": _one(
        "DROP TABLE ul CASCADE; CREATE UNLOGGED TABLE ul (x int); "
        "CREATE TABLE inh (x int) PARTITION BY LIST (x)",
        "changed inherits and kind and partition key of table inh",
        note="no statement changes this of a table; replace the table in a revision",
    ),
    "column added": _one("ALTER TABLE files ADD note text", "unexpected column files.note"),
    "column dropped": _one("ALTER TABLE jobs DROP error", "missing column jobs.error"),
    "column dropped with what stood on it": _one(
        "ALTER TABLE files DROP media_type CASCADE",
        "missing column files.media_type",
        "missing index ix_files_volume_id_media_type_size_bytes",
    ),
    "required column dropped": _one(
        "ALTER TABLE jobs DROP operation CASCADE",
        "missing column jobs.operation",
        "missing constraint jobs.ck_jobs_operation_not_empty",
        "missing index uq_jobs_active",
    ),
    "serial column dropped": _one("ALTER TABLE a DROP ser", "missing column a.ser"),
    "columns added": _one(
        "ALTER TABLE files ADD note text, ADD other int",
        "unexpected column files.other",
        "unexpected column files.note",
    ),
    "column of a parent table added": _one(
        "ALTER TABLE ancestor ADD more int", "unexpected column ancestor.more"
    ),
    "column of a parent table dropped": _one(
        "ALTER TABLE ancestor DROP name", "missing column ancestor.name"
    ),
    "check of a parent table added": _one(
        "ALTER TABLE ancestor ADD CONSTRAINT c CHECK (id > 0)", "unexpected constraint ancestor.c"
    ),
    "column renamed with a check": _one(
        "ALTER TABLE jobs RENAME operation TO operated",
        "missing column jobs.operation",
        "changed definition of constraint jobs.ck_jobs_operation_not_empty",
        "changed definition of index uq_jobs_active",
        "unexpected column jobs.operated",
    ),
    "column renamed": _one(
        "ALTER TABLE api_keys RENAME last_used_at TO used_at",
        "unexpected column api_keys.used_at",
        "missing column api_keys.last_used_at",
    ),
    "column type": _one(
        "ALTER TABLE jobs ALTER attempts TYPE bigint", "changed type of column jobs.attempts"
    ),
    "type under a view": _one(
        "DROP VIEW volume_usage; ALTER TABLE files ALTER size_bytes TYPE numeric; "
        "CREATE VIEW volume_usage AS SELECT volumes.id AS volume_id, volumes.name, "
        "count(files.id) AS file_count, coalesce(sum(files.size_bytes), 0)::bigint AS size_bytes, "
        "max(files.last_seen_at) AS last_seen_at FROM volumes LEFT JOIN files ON "
        "files.volume_id = volumes.id AND files.missing_since IS NULL GROUP BY volumes.id",
        "changed type of column files.size_bytes",
        "changed definition of constraint files.ck_files_size_not_negative",
    ),
    "enum made a text": _one(
        "DROP MATERIALIZED VIEW mv; DROP VIEW v7; DROP INDEX ix_expr; "
        "ALTER TABLE a ALTER s DROP DEFAULT, ALTER s TYPE text",
        "changed default and type of column a.s",
        "missing index ix_expr",
        "missing materialized view mv",
        "missing view v7",
    ),
    "null allowed": _one(
        "ALTER TABLE files ALTER mode DROP NOT NULL", "changed not null of column files.mode"
    ),
    "null forbidden": _one(
        "ALTER TABLE jobs ALTER error SET NOT NULL", "changed not null of column jobs.error"
    ),
    "default changed": _one(
        "ALTER TABLE jobs ALTER status SET DEFAULT 'RUNNING'",
        "changed default of column jobs.status",
    ),
    "default dropped": _one(
        "ALTER TABLE files ALTER attributes DROP DEFAULT",
        "changed default of column files.attributes",
    ),
    "identity changed": _one(
        "ALTER TABLE volumes ALTER id SET GENERATED BY DEFAULT SET INCREMENT BY 2",
        "changed identity of column volumes.id",
    ),
    "identity dropped": _one(
        "ALTER TABLE volumes ALTER id DROP IDENTITY", "changed identity of column volumes.id"
    ),
    "generated column made ordinary": _one(
        "ALTER TABLE files ALTER name DROP EXPRESSION", "changed generated of column files.name"
    ),
    "collation": _one(
        'ALTER TABLE api_keys ALTER name TYPE text COLLATE "C"',
        "changed collation of column api_keys.name",
    ),
    "collation beside a check": _one(
        'ALTER TABLE "Odd ""table" ALTER "Mixed Case" TYPE text COLLATE "C"',
        'changed collation of column Odd "table.Mixed Case',
    ),
    "storage and compression": _one(
        "ALTER TABLE jobs ALTER error SET STORAGE EXTERNAL, ALTER error SET COMPRESSION pglz",
        "changed compression and storage of column jobs.error",
    ),
    "statistics target": _one(
        "ALTER TABLE jobs ALTER path SET STATISTICS 500, ALTER path SET (n_distinct = 5)",
        "changed attribute options and statistics of column jobs.path",
    ),
    "column comment": _one(
        "COMMENT ON COLUMN jobs.path IS NULL", "changed comment of column jobs.path"
    ),
    "check added": _one(
        "ALTER TABLE jobs ADD CONSTRAINT few CHECK (attempts < 9)",
        "unexpected constraint jobs.few",
    ),
    "check dropped": _one(
        "ALTER TABLE volumes DROP CONSTRAINT ck_volumes_root_absolute",
        "missing constraint volumes.ck_volumes_root_absolute",
    ),
    "check changed": _one(
        "ALTER TABLE jobs DROP CONSTRAINT ck_jobs_attempts_not_negative, "
        "ADD CONSTRAINT ck_jobs_attempts_not_negative CHECK (attempts >= -1)",
        "changed definition of constraint jobs.ck_jobs_attempts_not_negative",
    ),
    "check never validated": _one(
        "ALTER TABLE volumes DROP CONSTRAINT ck_volumes_root_absolute, "
        "ADD CONSTRAINT ck_volumes_root_absolute CHECK (root LIKE '/%') NOT VALID",
        "changed validated of constraint volumes.ck_volumes_root_absolute",
    ),
    "check validated": _one(
        "ALTER TABLE b VALIDATE CONSTRAINT nv", "changed validated of constraint b.nv"
    ),
    "constraint comment": _one(
        "COMMENT ON CONSTRAINT ck ON a IS NULL", "changed comment of constraint a.ck"
    ),
    "foreign table": _one(
        "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER far FOREIGN DATA WRAPPER nothing; "
        "CREATE FOREIGN TABLE ft (id int) SERVER far",
        "unexpected table ft",
    ),
    "foreign key changed": _one(
        "ALTER TABLE jobs DROP CONSTRAINT fk_jobs_volume_id_volumes, ADD CONSTRAINT "
        "fk_jobs_volume_id_volumes FOREIGN KEY (volume_id) REFERENCES volumes ON DELETE RESTRICT",
        "changed definition of constraint jobs.fk_jobs_volume_id_volumes",
    ),
    "foreign key made deferrable": _one(
        "ALTER TABLE jobs ALTER CONSTRAINT fk_jobs_volume_id_volumes DEFERRABLE",
        "changed definition of constraint jobs.fk_jobs_volume_id_volumes",
    ),
    "foreign key switched off": _one(
        "ALTER TABLE jobs DISABLE TRIGGER ALL",
        "changed enforcement of constraint job_results.fk_job_results_job_id_jobs",
        "changed enforcement of constraint jobs.fk_jobs_volume_id_volumes",
        "changed enabled of trigger jobs.jobs_updated_at",
    ),
    "primary key changed": _one(
        "ALTER TABLE files DROP CONSTRAINT pk_files, "
        "ADD CONSTRAINT pk_files PRIMARY KEY (id, volume_id)",
        "changed definition of constraint files.pk_files",
    ),
    "primary key dropped with a reference to it": _one(
        "ALTER TABLE jobs DROP CONSTRAINT pk_jobs CASCADE",
        "missing constraint jobs.pk_jobs",
        "missing constraint job_results.fk_job_results_job_id_jobs",
    ),
    "unique dropped": _one(
        "ALTER TABLE api_keys DROP CONSTRAINT uq_api_keys_key_sha256",
        "missing constraint api_keys.uq_api_keys_key_sha256",
    ),
    "unique with nulls dropped": _one(
        "ALTER TABLE a DROP CONSTRAINT a_vc_key", "missing constraint a.a_vc_key"
    ),
    "option of a key": _one(
        "ALTER INDEX pk_jobs SET (fillfactor = 60)",
        "changed index options of constraint jobs.pk_jobs",
    ),
    "exclusion dropped": _one("ALTER TABLE a DROP CONSTRAINT ex", "missing constraint a.ex"),
    "index added": _one("CREATE INDEX ix_mode ON files (mode)", "unexpected index ix_mode"),
    "index dropped": _one("DROP INDEX ix_jobs_queue", "missing index ix_jobs_queue"),
    "index predicate": _one(
        "DROP INDEX ix_jobs_queue; CREATE INDEX ix_jobs_queue ON jobs (id)",
        "changed definition of index ix_jobs_queue",
    ),
    "index expression": _one(
        "DROP INDEX uq_volumes_lower_name; "
        "CREATE INDEX uq_volumes_lower_name ON volumes (upper(name))",
        "changed definition and unique of index uq_volumes_lower_name",
    ),
    "index operator class and comment": _one(
        "DROP INDEX ix_pat; CREATE INDEX ix_pat ON a (name) INCLUDE (num)",
        "changed comment and definition of index ix_pat",
    ),
    "index method": _one(
        "DROP INDEX ix_jobs_volume_id; "
        "CREATE INDEX ix_jobs_volume_id ON jobs USING hash (volume_id)",
        "changed definition of index ix_jobs_volume_id",
    ),
    "index invalid": _one(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_jobs_queue'::regclass",
        "changed valid of index ix_jobs_queue",
    ),
    "key invalid": _one(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'pk_jobs'::regclass",
        "changed index validity of constraint jobs.pk_jobs",
    ),
    "index statistics": _one(
        "ALTER INDEX ix_expr ALTER COLUMN 1 SET STATISTICS 500",
        "changed statistics of index ix_expr",
    ),
    "index that lacks that of a partition": _one(
        "DROP INDEX part_ix; CREATE INDEX part_ix ON ONLY part (id)",
        "changed valid of index part_ix",
    ),
    "index of a partitioned table": _one("DROP INDEX part_ix", "missing index part_ix"),
    "partition detached": _one(
        "ALTER TABLE part DETACH PARTITION part_1", "missing partition part_1"
    ),
    "partition detached and changed": _one(
        "ALTER TABLE part DETACH PARTITION part_1; ALTER TABLE part_1 ADD more int",
        "missing partition part_1",
    ),
    "partition with partitions dropped": _one("DROP TABLE listed_1", "missing partition listed_1"),
    "table with partitions of partitions dropped": _one(
        "DROP TABLE listed", "missing table listed"
    ),
    "partition added": _one(
        "CREATE TABLE part_2 PARTITION OF part DEFAULT", "unexpected partition part_2"
    ),
    "partition dropped": _one("DROP TABLE part_1", "missing partition part_1"),
    "partition's bound": _one(
        "ALTER TABLE part DETACH PARTITION part_1; ALTER TABLE part ATTACH PARTITION part_1 "
        "FOR VALUES FROM ('2020-01-01') TO ('2020-06-01')",
        "changed bound of partition part_1",
    ),
    "partition option": _one(
        "ALTER TABLE part_1 SET (autovacuum_enabled = off)", "changed options of partition part_1"
    ),
    "table made a partition": _one(
        "ALTER TABLE listed ATTACH PARTITION loose FOR VALUES IN (1)",
        "unexpected partition loose",
    ),
    "sequence added": _one("CREATE SEQUENCE numbers", "unexpected sequence numbers"),
    "sequence of a default dropped": _one(
        "DROP SEQUENCE counted CASCADE",
        "missing sequence counted",
        "changed default of column numbered.n",
    ),
    "sequence dropped": _one("DROP SEQUENCE sq", "missing sequence sq"),
    "sequence changed": _one(
        "ALTER SEQUENCE sq INCREMENT 3 NO CYCLE", "changed definition of sequence sq"
    ),
    "sequence owner": _one("ALTER SEQUENCE sq OWNED BY ul.x", "changed owned by of sequence sq"),
    "enum added": _one("CREATE TYPE mood AS ENUM ('good')", "unexpected enum mood"),
    "enum value added": _one(
        "ALTER TYPE job_status ADD VALUE 'PAUSED'",
        "changed labels of enum job_status",
        note="PostgreSQL removes no value from an enum; use op.replace_enum in a revision",
    ),
    "enum value renamed": _one(
        "ALTER TYPE st RENAME VALUE 'B' TO 'C'",
        "changed labels of enum st",
        "changed definition of index ix_expr",
    ),
    "domain check": _one(
        "ALTER DOMAIN email DROP CONSTRAINT email_check", "changed checks of domain email"
    ),
    "domain default": _one(
        "ALTER DOMAIN email DROP DEFAULT; ALTER DOMAIN email DROP NOT NULL",
        "changed default and not null of domain email",
    ),
    "composite type": _one("ALTER TYPE pt ADD ATTRIBUTE z int", "changed definition of type pt"),
    "range type dropped": _one("DROP TYPE fr", "missing type fr"),
    "view added": _one(
        "CREATE VIEW names AS SELECT name FROM volume_usage", "unexpected view names"
    ),
    "view dropped": _one("DROP VIEW volume_usage", "missing view volume_usage"),
    "view renamed under a view": _one(
        "ALTER VIEW lower_view RENAME TO lowest_view",
        "missing view lower_view",
        "changed definition of view upper_view",
        "unexpected view lowest_view",
    ),
    "view changed": _one(
        "CREATE OR REPLACE VIEW v6 AS SELECT s.c FROM (SELECT count(*) + 1 AS c FROM a) s",
        "changed definition of view v6",
    ),
    "view with a column more": _one(
        "CREATE OR REPLACE VIEW v5 AS SELECT generate_series, 1 AS more FROM generate_series(1, 3)",
        "changed columns and definition of view v5",
    ),
    "view option": _one("ALTER VIEW v8 RESET (security_barrier)", "changed options of view v8"),
    "view's column comment": _one(
        "COMMENT ON COLUMN v7.t IS 'x'", "changed column comments of view v7"
    ),
    "materialized view changed": _one(
        "DROP MATERIALIZED VIEW mv; CREATE MATERIALIZED VIEW mv AS SELECT s, count(*) + 1 AS count "
        "FROM a GROUP BY s; CREATE UNIQUE INDEX mvu ON mv (s)",
        "changed definition of materialized view mv",
    ),
    "materialized view dropped": _one("DROP MATERIALIZED VIEW mv", "missing materialized view mv"),
    "function changed": _one(
        "CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN NEW; END $$",
        "changed definition of function set_updated_at()",
    ),
    "function's attributes": _one(
        "ALTER FUNCTION imm(text) VOLATILE PARALLEL SAFE COST 7 SET work_mem = '1MB'",
        "changed definition of function imm(text)",
    ),
    "function with other results": _one(
        "DROP FUNCTION rows_of; CREATE FUNCTION rows_of() RETURNS int LANGUAGE sql RETURN 1",
        "changed definition and returns of function rows_of()",
    ),
    "function added": _one(
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1", "unexpected function one()"
    ),
    "procedure dropped": _one("DROP PROCEDURE pp", "missing procedure pp(integer, text)"),
    "aggregate dropped": _one("DROP AGGREGATE agg(text)", "missing aggregate agg(text)"),
    "trigger added": _one(
        "CREATE TRIGGER more BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION set_updated_at()",
        "unexpected trigger jobs.more",
    ),
    "trigger disabled": _one(
        "ALTER TABLE jobs DISABLE TRIGGER jobs_updated_at",
        "changed enabled of trigger jobs.jobs_updated_at",
    ),
    "trigger changed": _one(
        "DROP TRIGGER jobs_updated_at ON jobs; CREATE TRIGGER jobs_updated_at BEFORE INSERT ON jobs"
        " FOR EACH ROW EXECUTE FUNCTION set_updated_at()",
        "changed definition of trigger jobs.jobs_updated_at",
    ),
    "trigger dropped with its function": _one(
        "DROP FUNCTION set_updated_at CASCADE",
        "missing function set_updated_at()",
        "missing trigger jobs.jobs_updated_at",
    ),
    "event trigger": _one(
        "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
        "CREATE EVENT TRIGGER {database} ON ddl_command_end EXECUTE FUNCTION on_ddl()",
        "unexpected event trigger {database}",
        "unexpected function on_ddl()",
    ),
    "rule dropped": _one("DROP RULE rr ON b", "missing rule b.rr"),
    "rule switched off": _one("ALTER TABLE b DISABLE RULE rr", "changed firing of rule b.rr"),
    "policy added": _one("CREATE POLICY own ON jobs USING (true)", "unexpected policy jobs.own"),
    "policy changed": _one(
        "ALTER POLICY pol ON b USING (true)", "changed definition of policy b.pol"
    ),
    "statistics dropped": _one("DROP STATISTICS sts", "missing statistics sts"),
    "statistics with a target dropped": _one(
        "DROP STATISTICS sampled", "missing statistics sampled"
    ),
    "rule that is off dropped": _one("DROP RULE idle ON loose", "missing rule loose.idle"),
    "range with a name of its multiranges dropped": _one(
        "DROP TYPE span CASCADE",
        "missing type span",
        "missing column spanned.all_of",
        "missing column spanned.many",
        "missing column spanned.one",
    ),
    "statistics' target": _one(
        "ALTER STATISTICS sts SET STATISTICS 500", "changed target of statistics sts"
    ),
    "collation added": _one(
        "CREATE COLLATION mine (PROVIDER = libc, LOCALE = 'C')", "unexpected collation mine"
    ),
    "operators added": _one(
        "CREATE OPERATOR === (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text); "
        "CREATE OPERATOR CLASS mine FOR TYPE int USING hash AS OPERATOR 1 =",
        "unexpected operator class mine USING hash",
        "unexpected operator ===(text, text)",
    ),
    "collation, operator and text search dropped": _one(
        "DROP COLLATION theirs; DROP OPERATOR @@@ (text, text); "
        "DROP TEXT SEARCH DICTIONARY theirs; CREATE COLLATION theirs (LOCALE = 'POSIX')",
        "changed definition of collation theirs",
        "missing text search dictionary theirs",
        "missing operator @@@(text, text)",
        note="the catalog knows only its name; see the revision that creates it",
    ),
    "text search added": _one(
        "CREATE TEXT SEARCH CONFIGURATION mine (COPY = pg_catalog.simple); "
        "CREATE TEXT SEARCH DICTIONARY mine (TEMPLATE = pg_catalog.simple)",
        "unexpected text search configuration mine",
        "unexpected text search dictionary mine",
    ),
}
