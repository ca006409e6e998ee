"""Let a function decide."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION tidy() RETURNS void LANGUAGE plpgsql AS "
        "$$ BEGIN IF now() < '2020-01-01' THEN DELETE FROM cache; END IF; END $$"
    )
    # finds: avoid-choice-in-sql
    op.execute("SELECT tidy()")
    op.execute("SELECT tidy()")


def downgrade() -> None:
    op.execute("DROP FUNCTION tidy()")
