"""One more column, and larger jobs only."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE OR REPLACE VIEW running AS SELECT id, size_bytes, note FROM jobs "
        "WHERE size_bytes > 1"
    )


def downgrade() -> None:
    op.execute("DROP VIEW running")
    op.execute("CREATE VIEW running AS SELECT id, size_bytes FROM jobs WHERE size_bytes > 0")
