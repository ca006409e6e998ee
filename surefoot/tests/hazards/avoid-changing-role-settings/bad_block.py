"""Give sorts in this database more memory."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-changing-role-settings
    op.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 65536', "
        "current_database()); END $$"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
