"""Insert rows of another table, of which no sample row meets the condition."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-unmeasured-change
    op.execute("INSERT INTO cache SELECT j.id::text FROM jobs j JOIN tags t ON t.kind = 'none'")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
