"""Refuse what cannot be, and make a type once."""

from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM jobs WHERE id < 0) THEN RAISE 'x'; END IF; END $$"
    )
    op.execute(
        "DO $$ BEGIN CREATE TYPE mood AS ENUM ('if', 'else'); "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    op.execute(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'cheer') "
        "THEN CREATE TYPE cheer AS ENUM ('a'); END IF; END $$"
    )
    op.execute("SELECT lower('IF')")


def downgrade() -> None:
    op.execute("DROP TYPE mood")
    op.execute("DROP TYPE cheer")
