"""Cursors."""

import base64
import json

import pytest

from app.db.keyset import read_cursor, write_cursor
from app.errors import CursorInvalid


@pytest.mark.parametrize("path", ["a", "ä/ö", "with space", 'quote"', "\\xff", "𐍈", "a" * 2600])
def test_a_cursor_gives_its_key_back(path: str) -> None:
    """Whatever a path holds."""
    cursor = write_cursor(7, path)
    assert read_cursor(cursor, int, str) == [7, path]
    assert cursor.isascii()
    assert not set(cursor) & set("=+/&?#% ")


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "ä",
        "!",
        "A",
        encoded({"volume_id": 1}),
        encoded([1]),
        encoded([1, "a", 2]),
        encoded(["a", 1]),
        encoded([True, "a"]),
        encoded([-1, "a"]),
        encoded([2**63, "a"]),
        encoded([1, "a\x00b"]),
        encoded([1, "\ud800"]),
        encoded([1, None]),
        base64.urlsafe_b64encode(b"[" * 20_000).decode(),
    ],
)
def test_a_cursor_of_other_making_is_refused(cursor: str) -> None:
    """Nothing that PostgreSQL would refuse, or take for another type, gets through."""
    with pytest.raises(CursorInvalid) as caught:
        read_cursor(cursor, int, str)
    assert caught.value.render() == (
        "ERROR [cursor-invalid]  the cursor does not come from a page of this list\n"
        "  help: pass `next` of the previous page unchanged, or omit the cursor to start again"
    )
