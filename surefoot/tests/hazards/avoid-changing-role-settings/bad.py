"""Give sorts of the role the memory of the server."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-changing-role-settings
    op.execute("ALTER ROLE CURRENT_USER RESET work_mem")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
