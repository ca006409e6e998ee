"""Each running job once."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-refusing-writes
    op.execute(
        "CREATE OR REPLACE VIEW running AS SELECT DISTINCT id, size_bytes FROM jobs "
        "WHERE size_bytes > 0"
    )


def downgrade() -> None:
    op.execute(
        "CREATE OR REPLACE VIEW running AS SELECT id, size_bytes FROM jobs WHERE size_bytes > 0"
    )
