"""Keep nothing in the cache."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-refusing-writes
    op.execute("CREATE RULE nothing AS ON INSERT TO cache DO INSTEAD NOTHING")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
