"""Drop a column that a function names."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION ranks() RETURNS bigint LANGUAGE sql AS 'SELECT count(rank) FROM jobs'"
    )
    # finds: avoid-breaking-a-function
    op.drop_column("jobs", "rank")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
