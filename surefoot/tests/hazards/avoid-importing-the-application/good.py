"""Insert into a table as it is now."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.bulk_insert(sa.table("cache", sa.column("key", sa.Text())), [{"key": "version"}])


def downgrade() -> None:
    op.execute("DELETE FROM cache WHERE key = 'version'")
