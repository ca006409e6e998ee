"""Use the connection of the revision."""

from urllib.parse import quote

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    row = {"key": "place", "value": quote("a b")}
    op.get_bind().execute(sa.text("INSERT INTO cache VALUES (:key, :value)"), row)


def downgrade() -> None:
    op.execute("DELETE FROM cache WHERE key = 'place'")
