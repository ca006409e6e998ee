"""Give a code more room, and check it again later."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.drop_constraint("ck_jobs_code", "jobs")
    op.alter_column("jobs", "code", type_=sa.Text())
    op.create_check_constraint(
        op.f("ck_jobs_code"), "jobs", "code <> ''", postgresql_not_valid=True
    )


def downgrade() -> None:
    op.alter_column("jobs", "code", type_=sa.String(20))
