"""Keep the notes of documents that go."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    # finds: avoid-dropping-an-object
    op.execute("ALTER TABLE notes DROP CONSTRAINT notes_doc_id_fkey")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
