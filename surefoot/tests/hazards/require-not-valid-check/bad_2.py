"""Add an age, with its check."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-not-valid-check
    op.execute("ALTER TABLE jobs ADD COLUMN age integer CHECK (age >= 0)")


def downgrade() -> None:
    op.drop_column("jobs", "age")
