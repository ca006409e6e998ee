"""email of a customer

Revision ID: 0b77de12f9ac
Revises: a80e55d4c6f2
Create Date: 2024-11-30 11:02:27.000000

"""

import sqlalchemy as sa
from alembic import op

revision = "0b77de12f9ac"
down_revision = "a80e55d4c6f2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customers", sa.Column("email", sa.String(length=200), nullable=True))
    op.create_unique_constraint("customers_email_key", "customers", ["email"])


def downgrade() -> None:
    op.drop_constraint("customers_email_key", "customers", type_="unique")
    op.drop_column("customers", "email")
