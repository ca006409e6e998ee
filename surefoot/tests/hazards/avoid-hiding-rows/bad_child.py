"""Plotters are machines, and caches of their own are tags."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-hiding-rows
    op.execute("CREATE TABLE plotters () INHERITS (machines)")
    op.execute("CREATE TABLE labels (job_id bigint, label text, kind text)")
    # finds: avoid-hiding-rows
    op.execute("ALTER TABLE labels INHERIT tags")


def downgrade() -> None:
    op.execute("DROP TABLE labels")
    op.execute("DROP TABLE plotters")
