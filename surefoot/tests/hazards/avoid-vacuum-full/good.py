"""Keep more room in the pages of jobs."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs SET (fillfactor = 90)")


def downgrade() -> None:
    op.execute("ALTER TABLE jobs RESET (fillfactor)")
