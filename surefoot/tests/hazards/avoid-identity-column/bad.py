"""Number the jobs."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-identity-column
    op.execute("ALTER TABLE tags ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY")


def downgrade() -> None:
    op.drop_column("tags", "number")
