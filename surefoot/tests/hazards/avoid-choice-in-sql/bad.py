"""Empty the cache, if it is large."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-choice-in-sql
    op.execute(
        "DO $$ BEGIN IF (SELECT count(*) FROM cache) > 100000 THEN TRUNCATE cache; END IF; END $$"
    )


def downgrade() -> None:
    raise NotImplementedError("the cache is gone")
