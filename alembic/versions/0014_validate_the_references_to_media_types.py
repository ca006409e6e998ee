"""Validate the references to media_types.

It reads the rows that were there before the two constraints; it blocks neither reads nor writes.

Locks: SHARE UPDATE EXCLUSIVE on files while rows are read; ROW SHARE on media_types meanwhile.
Undo: ACCESS EXCLUSIVE on files, media_types, catalogue change only.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
phase = "expand"


def upgrade() -> None:
    op.validate_constraint(op.f("ck_files_media_type_known"), "files")
    op.validate_constraint(op.f("fk_files_media_type_id_media_types"), "files")


def downgrade() -> None:
    op.drop_constraint(op.f("fk_files_media_type_id_media_types"), "files", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_files_media_type_id_media_types"),
        "files",
        "media_types",
        ["media_type_id"],
        ["id"],
        postgresql_not_valid=True,
    )
    op.drop_constraint(op.f("ck_files_media_type_known"), "files", type_="check")
    op.create_check_constraint(
        op.f("ck_files_media_type_known"),
        "files",
        "media_type IS NULL OR media_type_id IS NOT NULL",
        postgresql_not_valid=True,
    )
