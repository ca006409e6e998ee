"""Insert into a table as the application sees it."""

from alembic import op

# finds: avoid-importing-the-application
from app.db.models import Volume

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.bulk_insert(Volume.__table__, [])


def downgrade() -> None:
    """Nothing was inserted."""
