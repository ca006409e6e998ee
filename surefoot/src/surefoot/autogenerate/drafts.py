"""Draft is what a backfill has to fill, as far as the catalogs tell it."""

import textwrap
from collections.abc import Iterator, Sequence

from surefoot.catalog.kinds import Column
from surefoot.catalog.widening import depends_on_zone, loses_digits
from surefoot.frozen import dataclass
from surefoot.quoting import literal, quoted, shown

# Of a value that a person chooses.
_YOURS = "The value is yours to write, as SQL in quotes"
_OF_SESSION = "The time zone of the session decides; AT TIME ZONE names another one."
UNFIT = "PostgreSQL may refuse values of {} as {}"
UNCAST = "PostgreSQL has no cast from {} to {}"
ROUNDED = "PostgreSQL rounds or cuts off what {} does not hold, in silence."


@dataclass(frozen=True)
class Draft:
    """A column to be filled."""

    table: str
    column: str
    # The condition for the rows that lack a value.
    todo: str
    # SQL; None where a person writes it.
    value: str | None
    # Comments above the value.
    hint: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The column, as a person reads it."""
        return shown(f"{self.table}.{self.column}")


def given_up(values: Sequence[str], back: Sequence[str], columns: Sequence[str]) -> Iterator[str]:
    """The demands on the rows that have values which a type is to lose, there and back."""
    for step, gone in (("This", values), ("The downgrade", back)):
        if gone and columns:
            those, there = ", ".join(map(literal, gone)), ", ".join(columns)
            yield (
                f"{step} fails while a row has {those} in {there}: let no release write that any "
                "more, and give the existing rows another value before."
            )


def required(table: str, column: str, default: str | None, usual: str | None = None) -> Draft:
    """Of a column that gets NOT NULL; a default that differs by row is its value.

    `usual` is that of rows which name no value: it may be wrong for those that are there.
    """
    yours = f"{_YOURS}: it may use the columns of the row."
    hint = (yours, *_wrapped(f"The default is {usual}.")) if usual else (yours,)
    return Draft(table, column, f"{quoted(column)} IS NULL", default, () if default else hint)


def exchanged(
    old: Column, new: Column, using: str | None, gone: Sequence[str], *, is_yours: bool = False
) -> Draft:
    """Of a column that comes in the place of another one; `gone` are values that its type lacks.

    Without `using`, PostgreSQL assigns the old value: a cast would cut off a text that is too long.
    """
    was, there = quoted(old.name), quoted(new.name)
    value = using or was
    hints: list[str] = []
    if is_yours and using is None:
        hints += _wrapped(f"{_YOURS}: {UNFIT.format(old.type, new.type)}. Assigned it is:")
    elif is_yours:
        hints += _wrapped(f"{_YOURS}: {UNCAST.format(old.type, new.type)}. By its text it is:")
    if gone:
        value = _with_others(was, old.type, new.type, gone)
        hints += _wrapped(f"{_YOURS}, with another one for {', '.join(map(literal, gone))}:")
    todo = f"{there} IS NULL AND {was} IS NOT NULL"
    if new.not_null and not old.not_null:
        todo = f"{there} IS NULL"
        hints += _wrapped(f"{_YOURS}, also for the rows without one; that of the others is:")
    told = [_OF_SESSION] if depends_on_zone(old.type, new.type) else []
    told += [ROUNDED.format(new.type)] if loses_digits(old.type, new.type) else []
    if not hints:
        return Draft(new.table, new.name, todo, value, tuple(told))
    return Draft(new.table, new.name, todo, None, (*told, *hints, value))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 88, break_long_words=False, break_on_hyphens=False)


def _with_others(was: str, before: str, after: str, gone: Sequence[str]) -> str:
    """The value of a column of an enum, with others for the values that go."""
    if before.endswith("[]"):
        value = f"{was}::text[]"
        for each in gone:
            value = f"array_replace({value}, {literal(each)}, '…')"
        return f"{value}::{after}"
    others = " ".join(f"WHEN {literal(each)} THEN '…'" for each in gone)
    return f"(CASE {was}::text {others} ELSE {was}::text END)::{after}"
