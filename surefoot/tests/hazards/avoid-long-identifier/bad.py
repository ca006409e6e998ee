"""Create a table with a long name."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-long-identifier
    op.execute(
        "CREATE TABLE "
        "the_results_of_all_jobs_of_the_department_of_statistics_by_month_and_year (id "
        "bigint PRIMARY KEY)"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
