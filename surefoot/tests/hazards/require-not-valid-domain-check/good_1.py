"""A new slug is not empty."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER DOMAIN slug ADD CONSTRAINT ck_slug CHECK (VALUE <> '') NOT VALID")


def downgrade() -> None:
    op.execute("ALTER DOMAIN slug DROP CONSTRAINT ck_slug")
