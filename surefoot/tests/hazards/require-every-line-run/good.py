"""Do the same everywhere."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN number integer")
    if op.get_context().as_sql:
        raise NotImplementedError("it reads rows")
    for name in ("note", "ref"):
        op.execute(f"COMMENT ON COLUMN jobs.{name} IS 'text'")


def downgrade() -> None:
    op.drop_column("jobs", "number")
