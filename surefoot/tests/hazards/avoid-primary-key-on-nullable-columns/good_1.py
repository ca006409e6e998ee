"""Say that every tag has a label."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.create_check_constraint(
        op.f("ck_tags_label"), "tags", "label IS NOT NULL", postgresql_not_valid=True
    )


def downgrade() -> None:
    op.drop_constraint("ck_tags_label", "tags")
