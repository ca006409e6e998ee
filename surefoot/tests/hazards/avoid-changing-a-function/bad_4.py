"""Another name for a side."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("DROP FUNCTION area(integer, integer)")
    # finds: avoid-changing-a-function
    op.execute(
        "CREATE FUNCTION area(a integer, width integer) RETURNS integer "
        "LANGUAGE sql AS 'SELECT a * width'"
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION area(integer, integer)")
    op.execute(
        "CREATE FUNCTION area(a integer, b integer) RETURNS integer LANGUAGE sql AS 'SELECT a * b'"
    )
