"""A new result is of a cached value."""

from alembic import op

revision = "0003"
down_revision = "0002"
phase = "expand"


def upgrade() -> None:
    op.create_foreign_key(
        "fk_results_cache_key",
        "results",
        "cache",
        ["cache_key"],
        ["key"],
        postgresql_not_valid=True,
    )


def downgrade() -> None:
    op.drop_constraint("fk_results_cache_key", "results")
