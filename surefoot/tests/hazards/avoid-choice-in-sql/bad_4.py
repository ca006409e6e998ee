"""Make texts from the environment, a query, the day and by chance."""

import datetime
import os
import random

import sqlalchemy as sa
from alembic import op

UTC = datetime.timezone.utc

revision = "0001"
down_revision = "0000"
phase = "expand"


def upgrade() -> None:
    bind = op.get_bind()
    many = bind.execute(sa.text("SELECT count(*) > 1000000 FROM jobs")).scalar()
    texts = {True: "DROP TABLE cache", False: "SELECT 1"}
    # finds: avoid-choice-in-sql
    op.execute(texts[bool(many)])
    # finds: avoid-choice-in-sql
    op.execute("DROP TABLE jobs" if many else "SELECT 2")
    # finds: avoid-choice-in-sql
    op.execute(os.environ.get("SHOP_SQL", "SELECT 3"))
    names = bind.execute(sa.text("SELECT relname FROM pg_class WHERE relname = 'gone'")).scalars()
    # finds: require-every-line-run
    # finds: avoid-choice-in-sql
    [bind.execute(sa.text(f"DROP TABLE {name}")) for name in names]
    kind = "drop_table" if many else "get_bind"
    # finds: avoid-choice-in-sql
    getattr(op, kind)()
    # finds: avoid-choice-in-sql
    op.execute(random.choice(["SELECT 4", "SELECT 4"]))
    # finds: avoid-choice-in-sql
    op.execute(f"CREATE TABLE copy_{datetime.datetime.now(UTC):%Y%m%d} (id bigint PRIMARY KEY)")
    _comment("cache", os.getenv("SHOP_COMMENT", "none"))


def _comment(table: str, text: str) -> None:
    # finds: avoid-choice-in-sql
    op.execute(f"COMMENT ON TABLE {table} IS '{text}'")


def downgrade() -> None:
    raise NotImplementedError("it is not what is looked at")
