"""Drop the jobs, and what refers to them."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    # finds: avoid-dropping-a-referring-table
    # finds: avoid-dropping-a-table
    op.execute("DROP TABLE jobs CASCADE")


def downgrade() -> None:
    raise NotImplementedError("the rows are not kept")
