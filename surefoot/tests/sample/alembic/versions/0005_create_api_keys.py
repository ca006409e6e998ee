"""Create api_keys."""

from alembic import op

revision = "0005"
down_revision = "0004"
phase = "expand"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE api_keys (
            id bigint GENERATED ALWAYS AS IDENTITY,
            name text NOT NULL,
            key_sha256 bytea NOT NULL,
            last_used_at timestamptz,
            revoked_at timestamptz,
            CONSTRAINT ck_api_keys_name_not_empty CHECK (name <> ''),
            CONSTRAINT ck_api_keys_sha256_length CHECK (octet_length(key_sha256) = 32),
            CONSTRAINT pk_api_keys PRIMARY KEY (id),
            CONSTRAINT uq_api_keys_key_sha256 UNIQUE (key_sha256)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX uq_api_keys_name ON api_keys (name) WHERE revoked_at IS NULL")


def downgrade() -> None:
    op.execute("DROP TABLE api_keys")
