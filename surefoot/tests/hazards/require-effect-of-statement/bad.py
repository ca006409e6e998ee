"""Drop what an operator has made."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-effect-of-statement
    op.execute("DROP INDEX IF EXISTS ix_of_the_operator")


def downgrade() -> None:
    raise NotImplementedError("it was made by hand")
