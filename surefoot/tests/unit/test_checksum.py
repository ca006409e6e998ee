"""The checksum of a revision: what counts and what does not."""

import ast

import pytest

from surefoot.chain.checksum import checksum

ORIGINAL = '''"""Add priority to jobs."""
from alembic import op
revision = "0008"
TABLES = {"jobs": ["a", 'b']}
def upgrade():
    """Up."""
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ADD priority int DEFAULT {-1}")
def downgrade() -> None:
    op.drop_column("jobs", "priority")
'''


def of(source: str) -> str:
    return checksum(ast.parse(source))


@pytest.mark.parametrize(
    "edited",
    [
        ORIGINAL.replace("\n", "\r\n"),
        ORIGINAL.replace('"""Add priority to jobs."""', '"""Add a priority.\n\nLonger.\n"""'),
        ORIGINAL.replace('    """Up."""\n', "    # up\n"),
        ORIGINAL.replace("'b'", '"b"').replace("= {", "= (\n    {").replace("]}", "],\n})"),
        ORIGINAL.replace(
            'op.drop_column("jobs", "priority")', "op.drop_column('jobs',\n 'priority',)"
        ),
        "# a licence\n" + ORIGINAL,
    ],
    ids=["crlf", "docstring", "function docstring", "formatting", "quotes", "comment"],
)
def test_writing_it_differently_keeps_the_checksum(edited: str) -> None:
    """Line ends, comments, docstrings and formatting do not count."""
    assert edited != ORIGINAL
    assert of(edited) == of(ORIGINAL)


@pytest.mark.parametrize(
    "edited",
    [
        ORIGINAL.replace("priority int", "priority  int"),
        ORIGINAL.replace("-1", "1"),
        ORIGINAL.replace('"0008"', "'0009'"),
        ORIGINAL.replace("for table in TABLES", "for table in sorted(TABLES)"),
        ORIGINAL.replace('    op.drop_column("jobs", "priority")', "    pass"),
        ORIGINAL.replace('"""Up."""', "'not first' and 1"),
        ORIGINAL.replace('["a",', '[b"a",'),
        ORIGINAL.replace("def upgrade", "async def upgrade"),
        ORIGINAL + "X = 1\n",
    ],
    ids=["sql", "sign", "id", "code", "body", "expression", "type", "async", "added"],
)
def test_any_change_of_the_code_changes_the_checksum(edited: str) -> None:
    """Everything that runs counts, white space inside SQL included."""
    assert edited != ORIGINAL
    assert of(edited) != of(ORIGINAL)


def test_the_checksum_is_the_same_on_every_python() -> None:
    """The value is fixed: a new Python, or a change here, must not change it."""
    assert of(ORIGINAL) == "8ebcf30e160756c35b7c3e6a4da8222f58758fe533722f8abb99669368b1116a"
