"""Create the view volume_usage."""

from alembic import op

revision = "0006"
down_revision = "0005"
phase = "expand"

USAGE = """
CREATE VIEW volume_usage AS
SELECT volumes.id AS volume_id,
       volumes.name,
       count(files.id) AS file_count,
       coalesce(sum(files.size_bytes), 0)::bigint AS size_bytes,
       max(files.last_seen_at) AS last_seen_at
FROM volumes
LEFT JOIN files ON files.volume_id = volumes.id
GROUP BY volumes.id
"""


def upgrade() -> None:
    op.execute(USAGE)


def downgrade() -> None:
    op.execute("DROP VIEW volume_usage")
