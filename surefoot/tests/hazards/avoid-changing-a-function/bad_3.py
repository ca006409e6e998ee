"""Areas with a unit, and with another name for a side."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-changing-a-function
    op.execute(
        "CREATE FUNCTION area(a integer, b integer, unit text DEFAULT 'm') RETURNS integer "
        "LANGUAGE sql AS 'SELECT a * b'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION area(integer, integer, text)")
