"""Load rows by another program, and by a connection of its own."""

import asyncio

# finds: avoid-work-out-of-sight
import subprocess

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    op.add_column("cache", sa.Column("found", sa.Boolean()))
    subprocess.run(["true"], check=True)
    # finds: avoid-work-out-of-sight
    asyncio.open_connection("somewhere.example").close()
    # finds: avoid-work-out-of-sight
    sa.create_engine("postgresql+asyncpg://somewhere.example")


def downgrade() -> None:
    op.drop_column("cache", "found")
