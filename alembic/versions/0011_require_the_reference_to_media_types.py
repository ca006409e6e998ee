"""Require the reference to media_types.

From here on a file with a media type has its reference, so this release reads that. The release
before media_types goes on: the trigger completes what it writes.

Locks: ACCESS EXCLUSIVE on files, catalogue change only.
Undo: ACCESS EXCLUSIVE on files, catalogue change only.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
phase = "contract"
requires_code = "0008"
requires_backfill = "files_media_type"


def upgrade() -> None:
    op.create_check_constraint(
        op.f("ck_files_media_type_known"),
        "files",
        "media_type IS NULL OR media_type_id IS NOT NULL",
        postgresql_not_valid=True,
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_files_media_type_known"), "files", type_="check")
