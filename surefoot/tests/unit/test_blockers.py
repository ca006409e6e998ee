"""A query as people may see it."""

import pytest

from surefoot.run.sessions import MAX_QUERY, shape


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SELECT * FROM t WHERE a = 'it''s secret'", "SELECT * FROM t WHERE a = ?"),
        ("update t1 set a=42,\n  b = 1.5  where id=$1", "update t1 set a=?, b = ? where id=$1"),
        ("SELECT $tag$ secret 7 $tag$, $$x$$", "SELECT ?, ?"),
        ("a -- don't\n= 'secret'", "a = ?"),
        ("a /* it's 7 */ = 'secret' -- 'x", "a = ?"),
        ("a = E'it\\'s secret' AND \"it's\" = 'secret'", 'a = ? AND "it\'s" = ?'),
        ("a = 'a secret that is cut", "a = ?"),
        ("DO $x1$ secret", "DO ?"),
        ("f($1,$2) = t$1$b", "f($1,$2) = t$1$b"),
        ("", ""),
    ],
)
def test_a_query_is_shown_without_its_literals(query: str, shown: str) -> None:
    """Values may be secrets; the shape of the statement tells who it is."""
    assert shape(query) == shown


def test_a_long_query_is_cut() -> None:
    """A line of a terminal is what there is."""
    assert len(shape("SELECT " + "a, " * 500)) == MAX_QUERY
