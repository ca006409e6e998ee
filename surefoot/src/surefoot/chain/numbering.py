"""Numbering: a chain whose ids are numbers goes on with the next one. Alembic's ids are hashes."""

import re
from collections.abc import Sequence

# A number as the id of a revision; longer ones are dates, or hashes without a letter.
_NUMBER = re.compile(r"[0-9]{1,6}")
_RECENT = 3
_FAR_APART = 10


def is_number(identifier: str) -> bool:
    """Whether the id may be the number of a revision."""
    return _NUMBER.fullmatch(identifier) is not None


def next_number(ids: Sequence[str], count: int = 1) -> str | None:
    """The id that is `count` after the newest one, where the chain is numbered.

    That is a chain whose three newest ids are short numbers close to each other, and an empty one.
    `ids` has the oldest first.
    """
    recent = ids[-_RECENT:] or ["0000"]
    width = min(map(len, recent))
    if not all(is_number(each) and each == f"{int(each):0{width}d}" for each in recent):
        return None
    numbers = [*map(int, recent)]
    following = f"{max(numbers) + count:0{width}d}"
    is_line = max(numbers) - min(numbers) < _FAR_APART and following not in ids
    return following if is_line else None
