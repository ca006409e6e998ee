"""Drop a type with the columns of that type."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    # finds: avoid-dropping-a-column
    op.execute("DROP TYPE job_status CASCADE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
