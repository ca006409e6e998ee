"""Choose a step by the number of rows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = "0000"
phase = "expand"


def _many() -> None:
    # finds: require-every-line-run
    op.execute("DROP TABLE tags")


def _few() -> None:
    op.execute("SELECT 1")


STEPS = {True: _many, False: _few}


def upgrade() -> None:
    many = op.get_bind().scalar(sa.text("SELECT count(*) > 1000000 FROM results"))
    STEPS[many]()


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
