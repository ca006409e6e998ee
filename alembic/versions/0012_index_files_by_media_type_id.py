"""Index files by media_type_id.

After the backfill, so that the index is built once, and not grown by each row that changes.

Locks: SHARE UPDATE EXCLUSIVE on files while rows are read.
Undo: SHARE UPDATE EXCLUSIVE on files, catalogue change only.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
phase = "expand"


def upgrade() -> None:
    op.create_index_concurrently(
        op.f("ix_files_media_type_id_volume_id_size_bytes"),
        "files",
        ["media_type_id", "volume_id", "size_bytes"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index_concurrently(op.f("ix_files_media_type_id_volume_id_size_bytes"))
