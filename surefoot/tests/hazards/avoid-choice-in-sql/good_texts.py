"""Make texts from what is in the file, and values from rows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"
COMMENTS = {"cache": None, "jobs": "archive"}


def upgrade() -> None:
    for table, schema in COMMENTS.items():
        name = f"{schema}.{table}" if schema else table
        op.execute(f"COMMENT ON TABLE {name} IS 'of {table}'")
    bind = op.get_bind()
    number = bind.execute(sa.text("SELECT count(*) FROM cache WHERE key = 'n'")).scalar()
    bind.execute(sa.text("INSERT INTO cache VALUES ('n', :n)"), {"n": str(number)})
    rows = sa.table("cache", sa.column("key"), sa.column("value"))
    bind.execute(rows.insert().values(key="m", value=f"m {number}"))


def downgrade() -> None:
    op.execute("DELETE FROM cache WHERE key IN ('n', 'm')")
    op.execute("COMMENT ON TABLE cache IS NULL")
    op.execute("COMMENT ON TABLE archive.jobs IS NULL")
