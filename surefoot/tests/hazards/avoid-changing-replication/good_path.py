"""Look for names in another schema."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL search_path = archive")
    op.execute("ALTER TABLE jobs ADD COLUMN state public.job_status")
    op.execute("CREATE TYPE kind AS ENUM ('a')")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
