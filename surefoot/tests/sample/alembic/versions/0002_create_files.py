"""Create files."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE files (
            volume_id bigint NOT NULL,
            id bigint GENERATED ALWAYS AS IDENTITY,
            path text COLLATE "C" NOT NULL,
            name text NOT NULL GENERATED ALWAYS AS (regexp_replace(path, '^.*/', '')) STORED,
            size_bytes bigint NOT NULL,
            modified_at timestamptz NOT NULL,
            mode integer NOT NULL,
            media_type text,
            content_sha256 bytea,
            attributes jsonb NOT NULL DEFAULT '{}'::jsonb,
            last_seen_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT ck_files_size_not_negative CHECK (size_bytes >= 0),
            CONSTRAINT ck_files_sha256_length CHECK (octet_length(content_sha256) = 32),
            CONSTRAINT ck_files_path_relative CHECK (path <> '' AND path NOT LIKE '/%'),
            CONSTRAINT fk_files_volume_id_volumes
                FOREIGN KEY (volume_id) REFERENCES volumes ON DELETE CASCADE,
            CONSTRAINT pk_files PRIMARY KEY (volume_id, id),
            CONSTRAINT uq_files_volume_id_path UNIQUE (volume_id, path)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX ix_files_volume_id_name_pattern
        ON files (volume_id, name text_pattern_ops)
        """
    )
    op.execute("CREATE INDEX ix_files_attributes ON files USING gin (attributes jsonb_path_ops)")
    op.execute(
        """
        CREATE INDEX ix_files_volume_id_media_type_size_bytes
        ON files (volume_id, media_type, size_bytes)
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE files")
