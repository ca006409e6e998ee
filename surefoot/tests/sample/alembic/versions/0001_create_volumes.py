"""Create volumes."""

from alembic import op

revision = "0001"
down_revision = None
phase = "expand"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE volumes (
            id bigint GENERATED ALWAYS AS IDENTITY,
            name text NOT NULL,
            root text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            scanned_at timestamptz,
            CONSTRAINT ck_volumes_name_not_empty CHECK (name <> ''),
            CONSTRAINT ck_volumes_root_absolute CHECK (root LIKE '/%'),
            CONSTRAINT pk_volumes PRIMARY KEY (id)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX uq_volumes_lower_name ON volumes (lower(name))")


def downgrade() -> None:
    op.execute("DROP TABLE volumes")
