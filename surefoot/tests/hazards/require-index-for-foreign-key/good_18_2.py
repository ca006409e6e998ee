"""Say which document a tag refers to; no row is ever looked for."""

from alembic import op

revision = "0002"
down_revision = "0001"
phase = "expand"
since = 18


def upgrade() -> None:
    op.execute(
        "ALTER TABLE tags ADD CONSTRAINT fk_tags_doc FOREIGN KEY (doc_id) REFERENCES docs "
        "NOT ENFORCED"
    )


def downgrade() -> None:
    op.drop_constraint("fk_tags_doc", "tags")
