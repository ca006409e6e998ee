"""Say remark for note."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming-a-column
    op.alter_column("jobs", "note", new_column_name="remark")


def downgrade() -> None:
    op.alter_column("jobs", "remark", new_column_name="note")
