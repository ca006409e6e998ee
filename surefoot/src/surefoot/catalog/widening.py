"""Types that keep every value of another type, by the names that PostgreSQL gives them."""

import re

_MODIFIER = re.compile(r"^([a-z ]+?)(?:\((\d+)(?:,(-?\d+))?\))?( with(?:out)? time zone)?$")
_INTEGERS = ("smallint", "integer", "bigint")


def is_widening(old: str, new: str) -> bool:
    """Whether every value of the old type fits the new one, and code can use it unchanged."""
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(old) < _INTEGERS.index(new)
    return needs_no_rewrite(old, new)


def needs_no_rewrite(old: str, new: str) -> bool:
    """Whether PostgreSQL changes the type in its catalog only, without a rewrite."""
    before, after = _MODIFIER.match(old), _MODIFIER.match(new)
    if before is None or after is None:
        return old == new
    if before[1] == "character varying" and new in ("text", "character varying"):
        return True
    if before[1] != after[1] or before[4] != after[4] or before[3] != after[3]:
        return False
    if before[1] == "character":  # PostgreSQL pads each value
        return old == new
    return after[2] is None or (before[2] is not None and int(before[2]) <= int(after[2]))


def depends_on_zone(old: str, new: str) -> bool:
    """Whether PostgreSQL converts a value by the time zone of the session."""
    with_zone = [" with time zone" in each for each in (old, new)]
    return with_zone[0] != with_zone[1]
