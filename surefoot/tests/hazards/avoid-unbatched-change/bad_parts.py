"""Change all rows in parts, in one transaction."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    for first in range(1, 1000, 90):
        # finds: avoid-unbatched-change
        # finds: avoid-unmeasured-change
        op.execute(f"UPDATE jobs SET ref = '' WHERE id >= {first} AND id < {first + 90}")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
