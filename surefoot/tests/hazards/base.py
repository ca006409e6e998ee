"""Create a small catalogue of tables for the hazards to act upon."""

from alembic import op

revision = "0000"
down_revision = None
phase = "expand"

TABLES = """
CREATE TYPE job_status AS ENUM ('PENDING', 'RUNNING', 'DONE');
CREATE DOMAIN slug AS text;
CREATE SCHEMA archive;
CREATE TABLE jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    status job_status NOT NULL DEFAULT 'PENDING',
    note varchar(100),
    code varchar(20) NOT NULL CONSTRAINT ck_jobs_code CHECK (code <> ''),
    ref text,
    rank integer,
    price numeric(10, 2),
    began timestamp,
    size_bytes bigint NOT NULL DEFAULT 0,
    name slug
);
CREATE INDEX ix_jobs_rank ON jobs (rank);
CREATE INDEX ix_jobs_ref ON jobs (ref);
CREATE TABLE results (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id bigint CONSTRAINT fk_results_job_id REFERENCES jobs,
    value text NOT NULL DEFAULT ''
);
CREATE INDEX ix_results_job_id ON results (job_id);
CREATE TABLE tags (job_id bigint, label text, kind text);
CREATE INDEX ix_tags_job_id ON tags (job_id);
CREATE TABLE cache (key text PRIMARY KEY, value text);
CREATE UNIQUE INDEX ux_cache_value ON cache (value);
CREATE TABLE archive.jobs (id bigint PRIMARY KEY, note text);
CREATE TABLE events (at timestamptz NOT NULL, job_id bigint) PARTITION BY RANGE (at);
CREATE TABLE events_2020 PARTITION OF events
    FOR VALUES FROM ('2020-01-01+00') TO ('2021-01-01+00');
CREATE TABLE events_2026 (at timestamptz NOT NULL, job_id bigint);
CREATE TABLE shards (id bigint) PARTITION BY LIST (id);
CREATE TABLE shards_rest PARTITION OF shards DEFAULT;
CREATE TABLE shards_1 (id bigint NOT NULL CHECK (id = 1));
CREATE MATERIALIZED VIEW usage AS SELECT kind, count(*) AS n FROM tags GROUP BY kind;
CREATE UNIQUE INDEX ux_usage_kind ON usage (kind);
CREATE VIEW running AS SELECT id, size_bytes FROM jobs WHERE size_bytes > 0;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER touch_results BEFORE UPDATE ON results FOR EACH ROW EXECUTE FUNCTION touch()
"""


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the chain begins here")
