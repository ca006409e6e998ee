"""Widen a column by hand."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-changing-the-catalog
    op.execute(
        "UPDATE pg_attribute SET atttypmod = 204 "
        "WHERE attrelid = 'jobs'::regclass AND attname = 'note'"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
