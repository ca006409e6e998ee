"""Name such functions without a call."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION kick(pid integer) RETURNS boolean LANGUAGE sql AS "
        "'SELECT pg_terminate_backend(pid)'"
    )
    op.execute("COMMENT ON FUNCTION kick IS 'calls pg_terminate_backend(pid)'")


def downgrade() -> None:
    op.execute("DROP FUNCTION kick")
