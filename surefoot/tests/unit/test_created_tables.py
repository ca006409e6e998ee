"""The tables that a revision creates, by its text."""

from pathlib import Path

from surefoot.chain.created_tables import created_tables
from surefoot.quoting import shown

REVISION = '''\
"""CREATE TABLE told (n int)"""

MORE = """
    create unlogged TABLE if not exists Shop."Odd name" (n int);
    CREATE TABLE part PARTITION OF whole DEFAULT;
    CREATE TEMP TABLE gone (n int)
"""


def upgrade() -> None:
    op.create_table("plain", sa.Column("n", sa.Integer()))
    op.create_table("named", schema="shop")
    op.create_table("unknown", **options)
    op.create_table("there", schema=schema)
    op.create_table(name)
    op.execute(f"CREATE TABLE first (LIKE {name}); CREATE TABLE second ()")


def downgrade() -> None:
    op.create_table("back")
'''


def test_of_the_upgrade(tmp_path: Path) -> None:
    """A name that the text does not show is left out."""
    path = tmp_path / "revision.py"
    path.write_text(REVISION, "utf-8")
    found = [*map(shown, created_tables(path))]
    assert found == ["shop.Odd name", "part", "plain", "shop.named", "first", "second"]
