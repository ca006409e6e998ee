"""Let a function return more."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("DROP FUNCTION area(integer, integer)")
    # finds: avoid-changing-a-function
    op.execute(
        "CREATE FUNCTION area(a integer, b integer) RETURNS bigint LANGUAGE sql AS 'SELECT "
        "a::bigint * b'"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
