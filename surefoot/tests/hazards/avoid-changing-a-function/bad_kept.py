"""Compute otherwise what a check has decided."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD CONSTRAINT ck_area CHECK (area(rank, 1) > 0) NOT VALID")
    # finds: avoid-changing-a-function
    op.execute(
        "CREATE OR REPLACE FUNCTION area(a integer, b integer) RETURNS integer LANGUAGE sql "
        "AS 'SELECT a * b * 2'"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
