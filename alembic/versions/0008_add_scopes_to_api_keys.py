"""Add scopes to api_keys.

Scopes give a key permissions beyond the API. Existing keys get none and stay valid. The column
holds text and not an enum, so a new scope needs no migration.

Locks: ACCESS EXCLUSIVE on api_keys, catalogue change only.
Undo: drop api_keys.scopes, with the scopes in it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
phase = "expand"


def upgrade() -> None:
    op.add_column(
        "api_keys",
        sa.Column(
            "scopes",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
            comment="What the key may do beside calling the API",
        ),
    )


def downgrade() -> None:
    op.drop_column("api_keys", "scopes")
