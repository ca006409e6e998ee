"""Drop a column with what the functions do with it."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "contract"


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION ranks() RETURNS bigint LANGUAGE sql AS 'SELECT count(rank) FROM jobs'"
    )
    op.execute(
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN NEW.rank := 1; RETURN NEW; END'"
    )
    op.execute(
        "CREATE TRIGGER touch_jobs BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION touch()"
    )
    op.drop_column("jobs", "rank")
    op.execute(
        "CREATE OR REPLACE FUNCTION ranks() RETURNS bigint LANGUAGE sql "
        "AS 'SELECT count(id) FROM jobs'"
    )
    op.execute(
        "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
