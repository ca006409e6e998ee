"""Let nobody choose the id of a document."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-generated-always
    op.execute("ALTER TABLE docs ALTER COLUMN id SET GENERATED ALWAYS")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
