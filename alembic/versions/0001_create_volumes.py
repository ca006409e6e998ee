"""Create volumes.

A volume is a named root that is scanned. The expression index makes names unique without regard to
case.

Locks: none that blocks anybody; the table is new.
Undo: drop the table, with the list of volumes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "volumes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "root",
            sa.Text(),
            nullable=False,
            comment="Absolute path; file paths are relative to it",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "scanned_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the last complete scan of the whole volume ended",
        ),
        sa.CheckConstraint("name <> ''", name=op.f("ck_volumes_name_not_empty")),
        sa.CheckConstraint("root LIKE '/%'", name=op.f("ck_volumes_root_absolute")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volumes")),
        comment="A named root that is scanned into the catalogue",
    )
    op.create_index("uq_volumes_lower_name", "volumes", [sa.text("lower(name)")], unique=True)


def downgrade() -> None:
    op.drop_table("volumes")
