"""Say ENDED for DONE."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-renaming-an-enum-value
    op.rename_enum_value("job_status", "DONE", "ENDED")


def downgrade() -> None:
    op.rename_enum_value("job_status", "ENDED", "DONE")
