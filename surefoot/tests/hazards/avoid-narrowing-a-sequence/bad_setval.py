"""Set sequences to numbers of the revision."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-narrowing-a-sequence
    op.execute("SELECT setval(pg_get_serial_sequence('docs', 'id'), 1)")
    # finds: avoid-narrowing-a-sequence
    op.execute("SELECT setval('numbers'::regclass, 9)")


def downgrade() -> None:
    raise NotImplementedError("the numbers are given")
