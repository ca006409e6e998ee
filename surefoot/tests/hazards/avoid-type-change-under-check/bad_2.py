"""Order the references by their bytes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-type-change-under-check
    # finds: avoid-changing-collation
    op.alter_column("jobs", "ref", type_=sa.Text(collation="C"))


def downgrade() -> None:
    op.alter_column("jobs", "ref", type_=sa.Text(collation="default"))
