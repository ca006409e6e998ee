"""Act on other sessions, on large objects, on files and on the server."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-work-out-of-sight
    op.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE false")
    # finds: avoid-work-out-of-sight
    op.execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE lomowner = 1")
    bind = op.get_bind()
    # finds: avoid-work-out-of-sight
    bind.execute(sa.select(sa.func.pg_stat_reset()))
    # finds: avoid-work-out-of-sight
    bind.exec_driver_sql("COPY cache TO PROGRAM 'cat > /dev/null'")
    # finds: avoid-work-out-of-sight
    op.execute(
        "DO $$ BEGIN PERFORM pg_drop_replication_slot(s) FROM unnest('{}'::name[]) s; END $$"
    )


def downgrade() -> None:
    raise NotImplementedError("sessions, files and objects are gone")
