"""Change what may be many rows."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-unmeasured-change
    op.execute("UPDATE jobs SET ref = 'old' WHERE id > 5000000")
    # finds: avoid-unmeasured-change
    op.execute("UPDATE jobs SET ref = 'x' FROM tags WHERE job_id = jobs.id AND tags.label = 'gone'")
    # finds: avoid-unmeasured-change
    op.execute("UPDATE jobs SET note = 'x' WHERE rank = 5")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
