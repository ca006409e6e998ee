"""Replace a check by another one of its name."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: require-not-valid-check
    op.execute(
        "ALTER TABLE jobs DROP CONSTRAINT ck_jobs_code, "
        "ADD CONSTRAINT ck_jobs_code CHECK (code <> 'none')"
    )


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
