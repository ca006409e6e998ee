"""A result has a source."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-reference-with-its-column
    # finds: require-index-for-foreign-key
    op.execute("ALTER TABLE results ADD COLUMN source_id bigint REFERENCES jobs")


def downgrade() -> None:
    op.drop_column("results", "source_id")
