"""Write many rows beside a trigger."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TRIGGER t BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION touch()")
    # finds: avoid-work-under-write-lock
    # finds: avoid-unbatched-change
    op.execute("INSERT INTO cache SELECT n, n FROM generate_series(1, 20000) n")


def downgrade() -> None:
    op.execute("DELETE FROM cache WHERE key = value")
    op.execute("DROP TRIGGER t ON jobs")
