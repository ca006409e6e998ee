"""Create a function that reads what is not there."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-switching-checks-off
    op.execute("DO $$ BEGIN SET check_function_bodies = off; RESET check_function_bodies; END $$")
    # finds: avoid-switching-checks-off
    op.execute("SELECT set_config('check_function_bodies', 'off', true)")
    # finds: avoid-breaking-a-function
    op.execute("CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT n FROM no_table'")


def downgrade() -> None:
    op.execute("DROP FUNCTION f()")
