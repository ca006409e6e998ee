"""A planned revision has its phase and its texts, whatever its template asks for."""

import ast

import pytest

from surefoot.autogenerate.revision_text import RevisionText
from surefoot.environment.stock_template import completed

TEXT = RevisionText("The reason.", "contract", "none", "none")
STOCK = '''"""Rank {title}

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
depends_on = None


def upgrade() -> None:
    op.drop_table("logs")
'''


def docstring(source: str) -> str:
    return ast.get_docstring(ast.parse(source)) or ""


def names(source: str) -> dict[str, object]:
    found: dict[str, object] = {}
    exec(source.replace("from alembic import op", ""), found)
    return found


@pytest.mark.parametrize(
    "title", ["jobs", 'the "jobs"', r"C:\\jobs \\d", "jobs\u2028 and\x0c files"]
)
def test_the_file_of_the_stock_template_says_phase_and_reason(title: str) -> None:
    """Between the title and the lines that Alembic writes."""
    made = completed(STOCK.format(title=title), TEXT)
    before = docstring(STOCK.format(title=title))
    first, rest = before.split("\n\n", 1)
    told = "The reason.\n\nLocks: none\nUndo: none"
    assert docstring(made) == f"{first}\n\n{told}\n\n{rest}"
    assert names(made)["phase"] == "contract"
    assert '\ndepends_on = None\nphase = "contract"\n# The oldest' in made
    assert '\n# requires_code = "0001"\n' in made
    assert completed(made, TEXT) == made


def test_of_an_expand_revision_the_phase_alone_is_written() -> None:
    """No release is named that works after it."""
    made = completed(STOCK, RevisionText("The reason.", "expand", "none", "none"))
    assert names(made)["phase"] == "expand"
    assert "requires_code" not in made


@pytest.mark.parametrize(
    ("begins", "told"),
    [
        ("", "The reason.\n\nLocks: none\nUndo: none"),
        ('"""Rank jobs."""\n', "Rank jobs.\n\nThe reason.\n\nLocks: none\nUndo: none"),
    ],
)
def test_a_short_docstring_gets_the_texts_too(begins: str, told: str) -> None:
    """As does a file without one."""
    made = completed(f'{begins}revision = "0002"\ndown_revision = ("a", "b")\n', TEXT)
    assert docstring(made) == told
    assert '# requires_code = ("a", "b")\n' in made


def test_a_template_that_asks_for_the_texts_is_left_alone() -> None:
    """Those of the project itself, edited or not."""
    own = (
        '"""A.\n\nLocks: none\nUndo: none\n"""\nrevision = "2"\ndown_revision = "1"\nphase = "x"\n'
    )
    assert completed(own, TEXT) == own
