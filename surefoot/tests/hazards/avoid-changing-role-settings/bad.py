"""Give sorts of the role the memory of the server."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-changing-role-settings
    op.execute("ALTER ROLE CURRENT_USER RESET work_mem")
    # finds: avoid-changing-role-settings
    op.execute("CREATE ROLE not_yet_named")
    # finds: avoid-changing-role-settings
    op.execute("ALTER ROLE not_yet_named RENAME TO surefoot_named")
    # finds: avoid-changing-role-settings
    op.execute("DROP ROLE surefoot_named")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
