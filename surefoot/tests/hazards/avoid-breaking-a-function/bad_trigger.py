"""Let a trigger set a column that is not there."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN new.changed := now(); RETURN new; END'"
    )
    # finds: avoid-breaking-a-function
    op.execute("CREATE TRIGGER stamp BEFORE INSERT ON tags FOR EACH ROW EXECUTE FUNCTION stamp()")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
