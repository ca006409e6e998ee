"""Set sequences by the rows."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "SELECT setval(pg_get_serial_sequence('docs', 'id'), coalesce(max(id), 1)) FROM docs"
    )
    op.execute("SELECT setval('numbers', (SELECT coalesce(max(number), 1) FROM docs))")
    op.execute("CREATE SEQUENCE bills")
    op.execute("SELECT setval('bills', 1000)")


def downgrade() -> None:
    op.execute("DROP SEQUENCE bills")
