"""A page ends with a cursor, which is the key of its last row.

The next page is what comes after that key, so rows that are inserted or deleted meanwhile neither
repeat nor hide a row that was there all along. A cursor is opaque to who holds it and checked
when it comes back.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from app.errors import CursorInvalid

BIGINT_MAX = 2**63 - 1
Key = int | str


def write_cursor(*key: Key) -> str:
    """The key as text that survives a URL."""
    text = json.dumps(key, ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, *types: type[Key]) -> list[Key]:
    """The key in a cursor, of as many parts as there are types.

    On failure: CursorInvalid.
    """
    try:
        key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except (ValueError, RecursionError):
        raise CursorInvalid from None
    if not isinstance(key, list) or [type(part) for part in key] != list(types):
        raise CursorInvalid
    for part in key:
        # No row can hold it, and PostgreSQL refuses to compare with it.
        if isinstance(part, int) and not 0 <= part <= BIGINT_MAX:
            raise CursorInvalid
        if isinstance(part, str) and ("\x00" in part or not _encodable(part)):
            raise CursorInvalid
    return key


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
