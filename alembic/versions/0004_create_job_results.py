"""Create job_results.

One row for each completed job. Summaries are not in jobs, so that a listing does not read them.

Locks: SHARE ROW EXCLUSIVE on jobs for the foreign key, for a moment; no scan.
Undo: drop the table, with the summaries.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "job_results",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("summary", postgresql.JSONB(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
            name=op.f("fk_job_results_job_id_jobs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_results")),
        comment="What a completed job found",
    )


def downgrade() -> None:
    op.drop_table("job_results")
