"""Add a column that may be there."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("number", sa.Integer()))
    # finds: require-effect-of-statement
    op.add_column("jobs", sa.Column("number", sa.BigInteger()), if_not_exists=True)
    # finds: require-effect-of-statement
    op.execute("DO $$ BEGIN DROP TRIGGER IF EXISTS by_hand ON jobs; END $$")


def downgrade() -> None:
    op.drop_column("jobs", "number")
