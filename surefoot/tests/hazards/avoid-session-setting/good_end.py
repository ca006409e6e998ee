"""Keep other jobs out until the commit, and collect rows until then."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT pg_advisory_xact_lock(42)")
    op.execute("CREATE TEMPORARY TABLE jobs ON COMMIT DROP AS SELECT 1 AS id")
    op.execute("CREATE TEMPORARY TABLE collected (id bigint)")
    op.execute("ALTER TABLE public.jobs ADD COLUMN number integer")


def downgrade() -> None:
    op.drop_column("jobs", "number")
