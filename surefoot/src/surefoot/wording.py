"""How every message writes a number with its noun, a duration, a size; and a name that is near.

They are for a person: figures in JSON are exact. A project that mounts the commands writes its own
messages with them. Pure functions, which import next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

# So many revisions fill a line.
_MOST_IN_ORDER = 12
_SAME = ("statistics",)
_ROWS = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
_BYTES = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def counted(number: int, noun: str, verb: str = "") -> str:
    """An exact number: `1 row`, `1,200 rows`; with a verb as `is/are`, `2 rows are`."""
    singular, _, several = verb.partition("/")
    words = (noun, singular) if number == 1 else (plural(noun), several)
    return " ".join((f"{number:,}", *filter(None, words)))


def roughly(number: float, noun: str) -> str:
    """A number of which the first digits matter: `1 row`, `9,800 rows`, `29.8M rows`."""
    return f"{short(number)} {noun if round(number) == 1 else plural(noun)}"


def short(number: float) -> str:
    """A number of which the first digits matter: `9,800`, `29.8M`."""
    for least, unit, letter in _ROWS:
        if number >= least:
            return f"{number / unit:.1f}{letter}"
    return f"{round(number):,}"


def plural(noun: str) -> str:
    """The noun, or the last word of several, for a number that is not one."""
    if noun.endswith(_SAME):
        return noun
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def duration(seconds: float) -> str:
    """`0.04 s`, `0.3 s`, `42 s`, `3 min 12 s`, `5 min`, `1 h 4 min`; whole seconds from ten on."""
    if 0 < seconds < 0.005:
        return "< 0.01 s"
    if seconds < 0.095:
        return f"{seconds:.2f} s" if seconds else "0 s"
    if seconds < 9.95:
        return f"{seconds:.0f} s" if seconds == int(seconds) else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return " ".join(_some((minutes, "min"), (rest, "s")))
    # To the minute, as nobody reads the seconds of hours.
    hours, minutes = divmod(round(seconds / 60), 60)
    return " ".join(_some((hours, "h"), (minutes, "min")))


def size(count: float) -> str:
    """A number of bytes: `900 B`, `8.2 kB`, `48 GB`."""
    for unit, name in _BYTES:
        if count >= unit:
            figure = count / unit
            return f"{figure:.1f} {name}" if figure < 9.95 else f"{figure:.0f} {name}"
    return f"{count:.0f} B"


def listed(names: Iterable[str], between: str = ", ", *, most: int = 6) -> str:
    """`0001, 0002`; of many the first ones and the number of the others: `…, 0006 and 15 more`."""
    found = list(names)
    shown = between.join(found[:most])
    return shown if len(found) <= most else f"{shown} and {len(found) - most:,} more"


def either(names: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def in_order(names: Sequence[str], empty: str = "nothing") -> str:
    """`0001, 0002`; of many the ends and their number: `0001, 0002, …, 0014, 0015, 15 in all`."""
    if len(names) <= _MOST_IN_ORDER:
        return ", ".join(names) or empty
    return f"{', '.join((*names[:2], '…', *names[-2:]))}, {len(names):,} in all"


def raised(error: BaseException) -> str:
    """An exception in one line, by its class and its text: `ValueError: no such key`."""
    return ": ".join(filter(None, (type(error).__name__, " ".join(str(error).split()))))


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name that is most like a misspelt one; None where no one is near.

    `cutoff` is the least likeness, from 0 to 1. The beginning of a name is near, and so are its
    letters in another order or in capitals.
    """
    import difflib  # noqa: PLC0415 - only on a mistake

    names, small = list(known), name.lower()
    if near := difflib.get_close_matches(name, names, n=1, cutoff=cutoff):
        return near[0]
    begun = (each for each in names if len(small) > 1 and each.lower().startswith(small))
    mixed = (each for each in names if sorted(each.lower()) == sorted(small))
    return next(chain(begun, mixed), None)


def suggestion(name: str, known: Iterable[str], form: str = "'{}'", *, cutoff: float = 0.6) -> str:
    """`did you mean 'jobs_priority'?`; empty where no known name is near the misspelt one.

    `form` writes the name that is meant. A near name is shown, and never used in place of the one
    that was given.
    """
    near = nearest(name, known, cutoff=cutoff)
    return f"did you mean {form.format(near)}?" if near is not None else ""


def _some(*parts: tuple[int, str]) -> Iterable[str]:
    """The parts that are not zero."""
    return (f"{number} {unit}" for number, unit in parts if number)
