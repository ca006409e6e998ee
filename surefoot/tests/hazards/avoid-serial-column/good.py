"""Number the jobs that come."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("number", sa.BigInteger()))
    op.execute("CREATE SEQUENCE jobs_number_seq OWNED BY jobs.number")
    op.alter_column("jobs", "number", server_default=sa.text("nextval('jobs_number_seq')"))


def downgrade() -> None:
    op.drop_column("jobs", "number")
