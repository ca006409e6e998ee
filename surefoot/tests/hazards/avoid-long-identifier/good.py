"""Create a table with a name that fits."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE TABLE the_results_of_all_jobs_of_the_department_of_statistics_by_mont (id "
        "bigint PRIMARY KEY)"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
