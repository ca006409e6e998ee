"""A look at each login."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
since = 17


def upgrade() -> None:
    op.execute("CREATE FUNCTION greet() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'")
    # finds: avoid-refusing-writes
    op.execute("CREATE EVENT TRIGGER greet ON login EXECUTE FUNCTION greet()")


def downgrade() -> None:
    op.execute("DROP EVENT TRIGGER greet")
    op.execute("DROP FUNCTION greet")
