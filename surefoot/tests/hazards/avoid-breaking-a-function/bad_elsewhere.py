"""Drop a column that the trigger of another table writes."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE log (job_id bigint)")
    op.execute("ALTER TABLE cache ADD COLUMN hits integer")
    op.execute(
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN UPDATE cache SET hits = hits + 1; RETURN new; END'"
    )
    # finds: avoid-breaking-a-function
    op.execute("ALTER TABLE cache DROP COLUMN hits")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
