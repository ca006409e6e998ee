"""Make a column, or another one."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-choice-in-sql
    op.execute(
        "DO $$ BEGIN IF (SELECT count(*) FROM jobs) < 10 THEN ALTER TABLE jobs ADD a bigint; "
        "ELSE ALTER TABLE jobs ADD b bigint; END IF; END $$"
    )


def downgrade() -> None:
    raise NotImplementedError("nobody knows which one was made")
