"""Make a trigger, or make it again."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS archive")
    op.execute("DROP TRIGGER IF EXISTS t ON jobs")
    op.execute("CREATE TRIGGER t BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION touch()")
    op.execute("DROP FUNCTION IF EXISTS f(integer)")
    op.execute("CREATE FUNCTION f(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n'")
    op.execute("DROP TRIGGER IF EXISTS t ON jobs")


def downgrade() -> None:
    op.execute("DROP FUNCTION f(integer)")
