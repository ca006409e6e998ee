"""Change single rows."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "MERGE INTO cache USING (VALUES ('a', 'b')) AS v (k, w) ON key = k "
        "WHEN MATCHED THEN UPDATE SET value = w WHEN NOT MATCHED THEN INSERT VALUES (k, w)"
    )
    op.execute("UPDATE cache SET value = 'c' WHERE key = 'c' AND value::jsonb ->> 'x' <> 'y'")
    op.execute("DELETE FROM cache WHERE key IN ('d', 'e')")


def downgrade() -> None:
    raise NotImplementedError("the former rows are not kept")
