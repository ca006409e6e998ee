"""Validate it, which leaves nothing to undo."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs VALIDATE CONSTRAINT ck_rank")


def downgrade() -> None:
    pass
