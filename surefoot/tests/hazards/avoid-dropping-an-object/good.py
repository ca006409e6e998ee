"""Create a trigger and a function again, and another one with an argument more."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("DROP TRIGGER touch_results ON results")
    op.execute(
        "CREATE TRIGGER touch_results BEFORE UPDATE ON results FOR EACH ROW EXECUTE "
        "FUNCTION touch()"
    )
    op.execute("DROP FUNCTION area(integer, integer)")
    op.execute(
        "CREATE FUNCTION area(a integer, b integer, c integer DEFAULT 1) RETURNS integer "
        "LANGUAGE sql AS 'SELECT a * b * c'"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
