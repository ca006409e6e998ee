"""Let triggers write for each change."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE log (job_id bigint)")
    op.execute(
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN INSERT INTO log VALUES (new.job_id); RETURN new; END'"
    )
    op.execute("CREATE TRIGGER log_tags AFTER INSERT ON tags FOR EACH ROW EXECUTE FUNCTION touch()")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
