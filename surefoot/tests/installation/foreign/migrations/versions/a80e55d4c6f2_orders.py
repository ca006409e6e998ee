"""orders

Revision ID: a80e55d4c6f2
Revises: 3f1c9a7b2d10
Create Date: 2021-06-18 16:40:03.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "a80e55d4c6f2"
down_revision = "3f1c9a7b2d10"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_orders_customer_id", "orders", ["customer_id"])


def downgrade() -> None:
    op.drop_index("ix_orders_customer_id", table_name="orders")
    op.drop_table("orders")
