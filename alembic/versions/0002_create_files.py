"""Create files.

volume_id leads every key, so the table can be distributed or partitioned by volume later without
new keys. Paths are compared as bytes (collation C), so their unique index also gives the order of
the listing and finds a prefix.

Locks: SHARE ROW EXCLUSIVE on volumes for the foreign key, for a moment; no scan.
Undo: drop the table, with the catalogue of files; a scan fills it again.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("volume_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "path",
            sa.Text(collation="C"),
            nullable=False,
            comment="Relative to the volume's root, with forward slashes",
        ),
        sa.Column(
            "name",
            sa.Text(),
            sa.Computed("regexp_replace(path, '^.*/', '')", persisted=True),
            nullable=False,
            comment="The last part of the path",
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mode", sa.Integer(), nullable=False, comment="POSIX permission bits"),
        sa.Column("media_type", sa.Text(), nullable=True),
        sa.Column("content_sha256", postgresql.BYTEA(), nullable=True),
        sa.Column(
            "attributes",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_files_size_not_negative")),
        sa.CheckConstraint(
            "octet_length(content_sha256) = 32", name=op.f("ck_files_sha256_length")
        ),
        sa.CheckConstraint(
            "path <> '' AND path NOT LIKE '/%'", name=op.f("ck_files_path_relative")
        ),
        sa.ForeignKeyConstraint(
            ["volume_id"],
            ["volumes.id"],
            name=op.f("fk_files_volume_id_volumes"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("volume_id", "id", name=op.f("pk_files")),
        sa.UniqueConstraint("volume_id", "path", name=op.f("uq_files_volume_id_path")),
        comment="A regular file, as its last scan saw it",
    )
    op.create_index(
        "ix_files_volume_id_name_pattern",
        "files",
        ["volume_id", "name"],
        postgresql_ops={"name": "text_pattern_ops"},
    )
    op.create_index(
        "ix_files_attributes",
        "files",
        ["attributes"],
        postgresql_using="gin",
        postgresql_ops={"attributes": "jsonb_path_ops"},
    )
    op.create_index(
        "ix_files_volume_id_media_type_size_bytes",
        "files",
        ["volume_id", "media_type", "size_bytes"],
    )


def downgrade() -> None:
    op.drop_table("files")
