"""Let the function of a trigger write into a table that is not there."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-breaking-a-function
    op.execute(
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO changes VALUES (new.id); RETURN new; END'"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
