"""Drop a column that a trigger writes."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN NEW.value := upper(OLD.value); RETURN NEW; END'"
    )
    # finds: avoid-breaking-a-function
    op.drop_column("results", "value")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
