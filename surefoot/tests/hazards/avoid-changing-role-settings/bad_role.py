"""Make a role a member of another one."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-changing-role-settings
    op.execute("GRANT pg_monitor TO CURRENT_USER")
    # finds: avoid-changing-role-settings
    op.execute("DO $$ BEGIN EXECUTE 'GRANT pg_monitor TO ' || current_user; END $$")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
