"""customers

Revision ID: 3f1c9a7b2d10
Revises:
Create Date: 2021-03-02 09:14:51.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "3f1c9a7b2d10"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("customers")
