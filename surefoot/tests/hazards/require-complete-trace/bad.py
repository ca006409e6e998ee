"""Stop where there are rows and where there are none."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")
    # finds: require-complete-trace
    op.execute("DO $$ BEGIN RAISE EXCEPTION 'not here'; END $$")
    op.execute("CREATE INDEX ix_jobs_number ON jobs (number)")


def downgrade() -> None:
    op.drop_column("jobs", "number")
