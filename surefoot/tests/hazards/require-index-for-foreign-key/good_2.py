"""Find the results of a cached value."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"


def upgrade() -> None:
    op.create_index_concurrently("ix_results_cache_key", "results", ["cache_key"])


def downgrade() -> None:
    op.drop_index_concurrently("ix_results_cache_key")
