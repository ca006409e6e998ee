"""A result is of a cached value."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("results", sa.Column("cache_key", sa.Text()))
    # finds: require-index-for-foreign-key
    # finds: avoid-locking-two-tables
    op.create_foreign_key(
        "fk_results_cache_key",
        "results",
        "cache",
        ["cache_key"],
        ["key"],
        postgresql_not_valid=True,
    )


def downgrade() -> None:
    op.drop_column("results", "cache_key")
