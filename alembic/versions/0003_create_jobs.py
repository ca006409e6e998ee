"""Create jobs.

The status is a native enum. It is created and dropped explicitly, because dropping a table does not
drop the type that its column created. The trigger updates updated_at for every writer.

Locks: SHARE ROW EXCLUSIVE on volumes for the foreign key, for a moment; no scan.
Undo: drop the table, its function and its type, with the queue.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE TYPE job_status AS ENUM ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')"
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("volume_id", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False, comment="scan or summarize"),
        sa.Column(
            "path",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="The part of the volume to work on; empty for all of it",
        ),
        sa.Column(
            "parameters",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "status",
            postgresql.ENUM(name="job_status", create_type=False),
            server_default="PENDING",
            nullable=False,
        ),
        sa.Column(
            "progress_done",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Files worked on so far",
        ),
        sa.Column(
            "progress_total",
            sa.BigInteger(),
            nullable=True,
            comment="Files expected, where a former scan tells",
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "worker",
            sa.Text(),
            nullable=True,
            comment="Who works on it: host, process, start",
        ),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Kept by the trigger jobs_updated_at",
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "duration_s",
            sa.Numeric(12, 3),
            sa.Computed("EXTRACT(epoch FROM finished_at - started_at)", persisted=True),
            nullable=True,
        ),
        sa.CheckConstraint("operation <> ''", name=op.f("ck_jobs_operation_not_empty")),
        sa.CheckConstraint("progress_done >= 0", name=op.f("ck_jobs_progress_not_negative")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_jobs_attempts_not_negative")),
        sa.CheckConstraint(
            "(worker IS NULL) = (lease_expires_at IS NULL)",
            name=op.f("ck_jobs_lease_has_worker"),
        ),
        sa.ForeignKeyConstraint(
            ["volume_id"],
            ["volumes.id"],
            name=op.f("fk_jobs_volume_id_volumes"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        comment="Work on a volume",
    )
    active = sa.text("status IN ('PENDING', 'RUNNING')")
    op.create_index(
        "uq_jobs_active",
        "jobs",
        ["volume_id", "operation", "path"],
        unique=True,
        postgresql_where=active,
    )
    op.create_index("ix_jobs_queue", "jobs", ["id"], postgresql_where=active)
    op.create_index(op.f("ix_jobs_volume_id"), "jobs", ["volume_id"])
    op.create_index("ix_jobs_parameters", "jobs", ["parameters"], postgresql_using="gin")
    op.execute(
        """
        CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$
        """
    )
    op.execute(
        """
        CREATE TRIGGER jobs_updated_at BEFORE UPDATE ON jobs
        FOR EACH ROW EXECUTE FUNCTION set_updated_at()
        """
    )


def downgrade() -> None:
    op.drop_table("jobs")
    op.execute("DROP FUNCTION set_updated_at()")
    op.execute("DROP TYPE job_status")
