"""The functions, the triggers and the view of the schema.

They are SQLAlchemy DDL events of the metadata, so `metadata.create_all()` creates the whole
schema, and autogenerate compares with the result. Names are unqualified: the objects are created in
the schema of the tables. `DDL` formats with `%`, so write a percent sign in a statement as `%%`.
"""

from __future__ import annotations

from sqlalchemy import DDL, event

from app.db.models.base import metadata
from app.db.models.files import File
from app.db.models.jobs import Job


def _ddl(statement: str) -> DDL:
    return DDL(statement)  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


set_updated_at = _ddl("""
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$
""")

jobs_updated_at = _ddl("""
CREATE TRIGGER jobs_updated_at BEFORE UPDATE ON jobs
FOR EACH ROW EXECUTE FUNCTION set_updated_at()
""")

# For the release before media_types, which writes media_type alone. One transaction at a time adds
# types: two that add the same ones in another order would deadlock.
set_media_type_id = _ddl("""
CREATE FUNCTION set_media_type_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT id INTO NEW.media_type_id FROM media_types WHERE name = NEW.media_type;
    IF NEW.media_type_id IS NULL AND NEW.media_type IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock('media_types'::regclass::bigint);
        INSERT INTO media_types (name) VALUES (NEW.media_type) ON CONFLICT (name) DO NOTHING;
        SELECT id INTO NEW.media_type_id FROM media_types WHERE name = NEW.media_type;
    END IF;
    RETURN NEW;
END
$$
""")

files_media_type_id_insert = _ddl("""
CREATE TRIGGER files_media_type_id_insert BEFORE INSERT ON files
FOR EACH ROW WHEN (NEW.media_type IS NOT NULL AND NEW.media_type_id IS NULL)
EXECUTE FUNCTION set_media_type_id()
""")

files_media_type_id_update = _ddl("""
CREATE TRIGGER files_media_type_id_update BEFORE UPDATE ON files
FOR EACH ROW WHEN (
    (NEW.media_type IS NOT NULL AND NEW.media_type_id IS NULL) OR
    (NEW.media_type IS DISTINCT FROM OLD.media_type AND
     NEW.media_type_id IS NOT DISTINCT FROM OLD.media_type_id)
)
EXECUTE FUNCTION set_media_type_id()
""")

# For the release before, and for people; the service adds the sizes up itself.
create_volume_usage = _ddl("""
CREATE VIEW volume_usage AS
SELECT volumes.id AS volume_id,
       volumes.name,
       count(files.id) AS file_count,
       coalesce(sum(files.size_bytes), 0)::bigint AS size_bytes,
       max(files.last_seen_at) AS last_seen_at
FROM volumes
LEFT JOIN files ON files.volume_id = volumes.id AND files.missing_since IS NULL
GROUP BY volumes.id
""")

event.listen(metadata, "before_create", set_updated_at)
event.listen(Job.__table__, "after_create", jobs_updated_at)
event.listen(metadata, "before_create", set_media_type_id)
event.listen(File.__table__, "after_create", files_media_type_id_insert)
event.listen(File.__table__, "after_create", files_media_type_id_update)
event.listen(metadata, "after_create", create_volume_usage)
