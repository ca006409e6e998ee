"""Let a type take the place and the name of the one that goes."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.execute("CREATE TYPE state AS ENUM ('OLD', 'NEW')")
    op.execute("CREATE TYPE state_new AS ENUM ('NEW')")
    op.execute("DROP TYPE state")
    op.execute("ALTER TYPE state_new RENAME TO state")


def downgrade() -> None:
    op.execute("DROP TYPE state")
