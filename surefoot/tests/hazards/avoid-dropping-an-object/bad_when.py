"""A trigger that runs for fewer rows."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-an-object
    op.execute(
        "CREATE OR REPLACE TRIGGER touch_results BEFORE UPDATE ON results FOR EACH ROW "
        "WHEN (new.value <> '') EXECUTE FUNCTION touch()"
    )


def downgrade() -> None:
    op.execute(
        "CREATE OR REPLACE TRIGGER touch_results BEFORE UPDATE ON results FOR EACH ROW "
        "EXECUTE FUNCTION touch()"
    )
