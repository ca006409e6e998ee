"""Choose a function by the number of rows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    many = op.get_bind().scalar(sa.text("SELECT count(*) > 1000000 FROM results"))
    # finds: require-every-line-run
    {True: lambda: op.execute("DROP TABLE tags"), False: lambda: op.execute("SELECT 1")}[many]()


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
