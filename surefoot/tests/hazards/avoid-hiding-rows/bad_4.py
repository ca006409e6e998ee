"""Give a policy for some rows, and one that only reads."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-hiding-rows
    op.execute("ALTER TABLE jobs ENABLE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY mine ON jobs USING (code = current_user)")
    op.execute("CREATE POLICY all_read ON jobs FOR SELECT USING (true)")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
