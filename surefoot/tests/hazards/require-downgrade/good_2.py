"""Forget the values."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "contract"


def upgrade() -> None:
    op.drop_column("jobs", "number")


def downgrade() -> None:
    raise NotImplementedError("the former values are not kept")
