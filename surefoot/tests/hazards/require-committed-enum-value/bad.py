"""Let jobs pause, from the first moment on."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_enum_value("job_status", "PAUSED")
    # finds: require-committed-enum-value
    # finds: require-complete-trace
    op.execute("ALTER TABLE jobs ALTER COLUMN status SET DEFAULT 'PAUSED'")


def downgrade() -> None:
    raise NotImplementedError("a value cannot be dropped while rows have it")
