"""Identifiers are quoted where PostgreSQL requires it, and keep every character."""

from __future__ import annotations

import pytest

from surefoot.quoting import quoted


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jobs", "jobs"),
        ("user", '"user"'),
        ("Jobs", '"Jobs"'),
        ('a"b', '"a""b"'),
        ("50%", '"50%"'),
        ("50%%", '"50%%"'),
        ("a:b", '"a:b"'),
    ],
)
def test_a_name_is_quoted_only_where_it_must_be(name: str, expected: str) -> None:
    """A percent sign stays single: the statements are not formatted with parameters."""
    assert quoted(name) == expected
