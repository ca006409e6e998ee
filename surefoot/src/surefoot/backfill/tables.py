"""The tables in which the state of the backfills of a project is."""

from surefoot.version_table import VersionTable

_CREATE = """
CREATE TABLE IF NOT EXISTS {backfills} (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    table_oid bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'paused', 'complete', 'failed')),
    lap integer NOT NULL DEFAULT 0,
    parameters jsonb NOT NULL DEFAULT '{}',
    actor jsonb NOT NULL,
    reason text,
    held text,
    rows_per_s double precision,
    left_s double precision,
    changed bigint NOT NULL DEFAULT 0,
    started_at timestamp with time zone NOT NULL DEFAULT now(),
    finished_at timestamp with time zone,
    is_recorded boolean NOT NULL DEFAULT false
);
CREATE TABLE IF NOT EXISTS {ranges} (
    backfill text NOT NULL REFERENCES {backfills} ON DELETE CASCADE,
    id integer NOT NULL,
    low text[],
    high text[] NOT NULL,
    position text[],
    changed bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    batches integer NOT NULL DEFAULT 0,
    walked bigint NOT NULL DEFAULT 0,
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (backfill, id)
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS {failures} (
    backfill text NOT NULL REFERENCES {backfills} ON DELETE CASCADE,
    key text[] NOT NULL,
    sqlstate text,
    error text NOT NULL,
    failed_at timestamp with time zone NOT NULL DEFAULT now(),
    PRIMARY KEY (backfill, key)
)
"""


def with_tables(query: str, version_table: VersionTable) -> str:
    """The query with the tables for {backfills}, {ranges} and {failures}."""
    names = ("backfills", "ranges", "failures")
    for name, table in zip(names, version_table.backfills, strict=True):
        query = query.replace(f"{{{name}}}", table)
    return query


def creation(version_table: VersionTable) -> str:
    """The statements that create those that are missing."""
    return with_tables(_CREATE, version_table)
