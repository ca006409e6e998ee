"""Results have a parent, and go with it."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE results ADD COLUMN parent_id bigint")
    # finds: require-index-for-foreign-key
    op.execute(
        "ALTER TABLE results ADD CONSTRAINT fk_results_parent_id FOREIGN KEY (parent_id) "
        "REFERENCES results ON DELETE CASCADE NOT VALID"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE results DROP COLUMN parent_id")
