"""Do more where there are many rows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    count = op.get_bind().scalar(sa.text("SELECT count(*) FROM results"))
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")
    if count > 100_000:
        # finds: require-every-line-run
        op.execute("ALTER TABLE jobs ALTER COLUMN rank TYPE bigint")
        op.execute("REINDEX TABLE jobs")


def downgrade() -> None:
    op.drop_column("jobs", "number")
