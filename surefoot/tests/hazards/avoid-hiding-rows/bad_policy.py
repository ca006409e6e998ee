"""Add a policy to one that limits rows."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-hiding-rows
    op.execute("ALTER POLICY readers ON docs USING (id > 10)")
    # finds: avoid-hiding-rows
    op.execute("CREATE POLICY more ON docs FOR SELECT USING (title IS NULL)")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
