"""Show short documents only."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-hiding-rows
    op.execute("CREATE POLICY short ON docs AS RESTRICTIVE USING (length(body) < 100)")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
