"""Say tasks for jobs to those who know it already."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE VIEW tasks AS SELECT * FROM jobs")


def downgrade() -> None:
    op.execute("DROP VIEW tasks")
