"""Add missing_since to files."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
phase = "expand"

USAGE = """
CREATE OR REPLACE VIEW volume_usage AS
SELECT volumes.id AS volume_id,
       volumes.name,
       count(files.id) AS file_count,
       coalesce(sum(files.size_bytes), 0)::bigint AS size_bytes,
       max(files.last_seen_at) AS last_seen_at
FROM volumes
LEFT JOIN files ON files.volume_id = volumes.id {and_there}
GROUP BY volumes.id
"""


def upgrade() -> None:
    op.add_column("files", sa.Column("missing_since", sa.DateTime(timezone=True)))
    op.execute(USAGE.format(and_there="AND files.missing_since IS NULL"))


def downgrade() -> None:
    op.execute(USAGE.format(and_there=""))
    op.drop_column("files", "missing_since")
