"""Sort the values of an enum."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("DROP TYPE mood")
    # finds: avoid-changing-a-type
    op.execute("CREATE TYPE mood AS ENUM ('GLAD', 'SAD')")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
