"""Let a trigger compute a job's size in megabytes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("size_mb", sa.BigInteger()))
    op.execute(
        "CREATE FUNCTION size_mb() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.size_mb"
        " := new.size_bytes / 1000000; RETURN new; END'"
    )
    op.execute(
        "CREATE TRIGGER size_mb BEFORE INSERT OR UPDATE ON jobs FOR EACH ROW EXECUTE "
        "FUNCTION size_mb()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER size_mb ON jobs")
    op.execute("DROP FUNCTION size_mb()")
    op.drop_column("jobs", "size_mb")
