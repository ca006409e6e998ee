"""Add the media types of files.

The rows that were there before the trigger get their references from the backfill files_media_type,
which finds every type in the table. One transaction at a time adds types, as in the trigger.

Locks: ACCESS SHARE on files while rows are read, and an advisory lock, for which a scan waits that
finds a new type.
Undo: nothing; the undo of 0009 drops the table.
"""

from alembic import op

revision = "0010"
down_revision = "0009"
phase = "expand"

# allow avoid-unbatched-change: a catalogue has some hundred media types


def upgrade() -> None:
    op.execute("SELECT pg_advisory_xact_lock('media_types'::regclass::bigint)")
    op.execute(
        "INSERT INTO media_types (name) SELECT DISTINCT media_type FROM files "
        "WHERE media_type IS NOT NULL ON CONFLICT (name) DO NOTHING"
    )


def downgrade() -> None:
    """Nothing to undo: types that no file refers to do no harm."""
