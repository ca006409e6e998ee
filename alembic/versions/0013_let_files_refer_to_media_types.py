"""Let files refer to media_types.

The key applies to new rows; the next revision validates it for the others.

Locks: SHARE ROW EXCLUSIVE on files, media_types, catalogue change only.
Undo: ACCESS EXCLUSIVE on files, media_types, catalogue change only.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
phase = "expand"


def upgrade() -> None:
    op.create_foreign_key(
        op.f("fk_files_media_type_id_media_types"),
        "files",
        "media_types",
        ["media_type_id"],
        ["id"],
        postgresql_not_valid=True,
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_files_media_type_id_media_types"), "files", type_="foreignkey")
