"""Let jobs pause."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_enum_value("job_status", "PAUSED", after="RUNNING")


def downgrade() -> None:
    raise NotImplementedError("a value cannot be dropped while rows have it")
