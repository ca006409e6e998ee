"""Areas of other shapes, which no call of the former means."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION area(a integer, b integer, c integer, unit text DEFAULT 'm') "
        "RETURNS integer LANGUAGE sql AS 'SELECT a * b'"
    )
    op.execute(
        "CREATE FUNCTION area(a text, b integer, unit text DEFAULT 'm') RETURNS integer "
        "LANGUAGE sql AS 'SELECT b'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION area(integer, integer, integer, text)")
    op.execute("DROP FUNCTION area(text, integer, text)")
