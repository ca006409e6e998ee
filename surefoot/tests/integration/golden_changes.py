"""Ten changes of models, as people make them: the shop before and after each."""

from __future__ import annotations

from dataclasses import dataclass

ENV = """\
from surefoot import Environment

Environment(
    metadata="shop:metadata",
    database="shop:database",
    manages=["views"],
    schemas=["public", "sales"],
).run()
"""
HEAD = '''\
"""A shop."""

import os

from sqlalchemy import *
from sqlalchemy.event import listen

from surefoot import Database

database = Database(
    os.environ["DATABASE_URL"], scratch_url=os.environ.get("SUREFOOT_TEST_SCRATCH_URL")
)
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
'''
CUSTOMERS = """
customers = Table(
    "customers",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", String(100), nullable=False, index=True),
    Column("email", Text, nullable=False),
)
"""
ORDERS = """
orders = Table(
    "orders",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column("state", Enum("new", "paid", "sent", name="order_state"), nullable=False),
    Column("placed_on", Date, nullable=False),
    Column("note", Text),
)
"""
VIEW = """
listen(
    metadata,
    "after_create",
    DDL("CREATE VIEW open_orders AS SELECT id, note FROM orders WHERE state <> 'sent'"),
)
"""
SHOP = CUSTOMERS + ORDERS


@dataclass(frozen=True)
class Change:
    """The models before and after, and the words of `alembic revision`."""

    name: str
    before: str
    after: str
    options: tuple[str, ...] = ()
    # A revision that a person writes before.
    first: str = ""

    @property
    def message(self) -> str:
        return self.name.replace("-", " ").capitalize()


def change(
    name: str,
    before: str,
    *edits: tuple[str, str],
    options: tuple[str, ...] = (),
    first: str = "",
) -> Change:
    """The models after some edits, each of which is of text that they have."""
    after = before
    for old, new in edits:
        assert old in after, old
        after = after.replace(old, new)
    return Change(name, HEAD + before, HEAD + after, options, first)


CHANGES = (
    change(
        "require-a-product",
        SHOP + 'Table("products", metadata, Column("id", BigInteger, primary_key=True))\n',
        (
            '    Column("note", Text),\n',
            '    Column("note", Text),\n'
            '    Column("product_id", ForeignKey("products.id"), nullable=False, index=True),\n',
        ),
    ),
    change(
        "split-the-name",
        SHOP,
        (
            '    Column("name", String(100), nullable=False, index=True),\n',
            '    Column("first_name", Text, nullable=False),\n'
            '    Column("last_name", Text, nullable=False, index=True),\n',
        ),
    ),
    change("widen-the-name", SHOP, ("String(100)", "String(200)")),
    change(
        "number-customers-by-bigint",
        SHOP
        + """
Table(
    "addresses",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
)
""",
        ('Column("id", Integer, ', 'Column("id", BigInteger, '),
    ),
    change("drop-the-state-sent", SHOP, ('"paid", "sent"', '"paid"')),
    change(
        "rename-orders",
        SHOP + VIEW,
        ('"orders",\n', '"purchases",\n'),
        ("FROM orders", "FROM purchases"),
        options=("-x", "rename=orders:purchases"),
    ),
    change(
        "allow-an-email-once",
        SHOP,
        (
            'Column("email", Text, nullable=False)',
            'Column("email", Text, nullable=False, unique=True)',
        ),
    ),
    change(
        "drop-the-note",
        SHOP + VIEW,
        ('    Column("note", Text),\n', ""),
        ("SELECT id, note FROM", "SELECT id FROM"),
    ),
    change(
        "move-orders-to-sales",
        SHOP,
        ('    Column("note", Text),\n', '    Column("note", Text),\n    schema="sales",\n'),
        options=("-x", "rename=orders:sales.orders"),
        first="op.execute('CREATE SCHEMA IF NOT EXISTS sales')",
    ),
    change(
        "partition-orders",
        SHOP,
        (
            '    Column("placed_on", Date, nullable=False),\n    Column("note", Text),\n',
            '    Column("placed_on", Date, primary_key=True),\n    Column("note", Text),\n'
            '    postgresql_partition_by="RANGE (placed_on)",\n',
        ),
    ),
)
