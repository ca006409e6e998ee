"""Write a function in another way."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION area(a integer, b integer) RETURNS integer LANGUAGE sql"
        " AS 'SELECT b * a'"
    )
    op.execute("ALTER FUNCTION area(integer, integer) IMMUTABLE")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
