"""The models of the sample: files in volumes, jobs on them, a view, a function and a trigger."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
TIME = DateTime(timezone=True)
ACTIVE = text("status IN ('PENDING', 'RUNNING')")
STATES = ("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")

Table(
    "volumes",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, CheckConstraint("name <> ''", "name_not_empty"), nullable=False),
    Column("root", Text, CheckConstraint("root LIKE '/%'", "root_absolute"), nullable=False),
    Column("created_at", TIME, server_default=func.now(), nullable=False),
    Column("scanned_at", TIME),
    Index("uq_volumes_lower_name", func.lower(text("name")), unique=True),
)
Table(
    "files",
    metadata,
    Column("volume_id", ForeignKey("volumes.id", ondelete="CASCADE"), primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("path", Text(collation="C"), nullable=False),
    Column("name", Text, Computed("regexp_replace(path, '^.*/', '')", True), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("modified_at", TIME, nullable=False),
    Column("mode", Integer, nullable=False),
    Column("media_type", Text),
    Column("content_sha256", BYTEA),
    Column("attributes", JSONB, server_default=text("'{}'::jsonb"), nullable=False),
    Column("last_seen_at", TIME, server_default=func.now(), nullable=False),
    Column("missing_since", TIME),
    UniqueConstraint("volume_id", "path"),
    CheckConstraint("size_bytes >= 0", "size_not_negative"),
    CheckConstraint("octet_length(content_sha256) = 32", "sha256_length"),
    CheckConstraint("path <> '' AND path NOT LIKE '/%'", "path_relative"),
    Index(
        "ix_files_volume_id_name_pattern",
        "volume_id",
        "name",
        postgresql_ops={"name": "text_pattern_ops"},
    ),
    Index(
        "ix_files_attributes",
        "attributes",
        postgresql_using="gin",
        postgresql_ops={"attributes": "jsonb_path_ops"},
    ),
    Index("ix_files_volume_id_media_type_size_bytes", "volume_id", "media_type", "size_bytes"),
)
jobs = Table(
    "jobs",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("volume_id", ForeignKey("volumes.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("operation", Text, nullable=False),
    Column(
        "path",
        Text,
        server_default=text("''"),
        nullable=False,
        comment="The part of the volume to work on",
    ),
    Column("parameters", JSONB, server_default=text("'{}'::jsonb"), nullable=False),
    Column("status", Enum(*STATES, name="job_status"), server_default="PENDING", nullable=False),
    Column("attempts", Integer, server_default=text("0"), nullable=False),
    Column("error", Text),
    Column("worker", Text),
    Column("lease_expires_at", TIME),
    Column("updated_at", TIME, server_default=func.now(), nullable=False),
    CheckConstraint("operation <> ''", "operation_not_empty"),
    CheckConstraint("attempts >= 0", "attempts_not_negative"),
    CheckConstraint("(worker IS NULL) = (lease_expires_at IS NULL)", "lease_has_worker"),
    Index("uq_jobs_active", "volume_id", "operation", "path", unique=True, postgresql_where=ACTIVE),
    Index("ix_jobs_queue", "id", postgresql_where=ACTIVE),
    Index("ix_jobs_parameters", "parameters", postgresql_using="gin"),
)
Table(
    "job_results",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("summary", JSONB, nullable=False),
    Column("created_at", TIME, server_default=func.now(), nullable=False),
)
Table(
    "api_keys",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, CheckConstraint("name <> ''", "name_not_empty"), nullable=False),
    Column("key_sha256", BYTEA, nullable=False, unique=True),
    Column("last_used_at", TIME),
    Column("revoked_at", TIME),
    Column("scopes", ARRAY(Text), server_default=text("'{}'::text[]"), nullable=False),
    CheckConstraint("octet_length(key_sha256) = 32", "sha256_length"),
    Index("uq_api_keys_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
)


def _ddl(statement: str) -> DDL:
    return DDL(statement)  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


event.listen(
    metadata,
    "before_create",
    _ddl("""
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$
"""),
)
event.listen(
    jobs,
    "after_create",
    _ddl("""
CREATE TRIGGER jobs_updated_at BEFORE UPDATE ON jobs
FOR EACH ROW EXECUTE FUNCTION set_updated_at()
"""),
)
event.listen(
    metadata,
    "after_create",
    _ddl("""
CREATE VIEW volume_usage AS
SELECT volumes.id AS volume_id,
       volumes.name,
       count(files.id) AS file_count,
       coalesce(sum(files.size_bytes), 0)::bigint AS size_bytes,
       max(files.last_seen_at) AS last_seen_at
FROM volumes
LEFT JOIN files ON files.volume_id = volumes.id AND files.missing_since IS NULL
GROUP BY volumes.id
"""),
)
