"""A trigger at each schema change."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION frozen() RETURNS event_trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''not now''; END'"
    )
    # finds: avoid-refusing-writes
    op.execute(
        "CREATE EVENT TRIGGER settled ON ddl_command_end WHEN TAG IN ('CREATE TABLE') "
        "EXECUTE FUNCTION frozen()"
    )


def downgrade() -> None:
    op.execute("DROP EVENT TRIGGER settled")
    op.execute("DROP FUNCTION frozen")
