"""How the values of a column become values of another type, and which of them that changes."""

import re
from typing import TypeVar

from surefoot.autogenerate.comparison import Comparison
from surefoot.catalog import Key
from surefoot.catalog.definitions import is_whole_name, whole_name
from surefoot.catalog.kinds import Domain, Enum
from surefoot.catalog.widening import may_not_fit

Found = TypeVar("Found", Enum, Domain)
_MODIFIER = re.compile(r"\(\d+(?:,-?\d+)?\)")
# PostgreSQL casts every type to these on assignment.
_STRINGS = frozenset({"text", "character varying", "character", "name"})
# A function makes these of a value of every type, where a text would have to be JSON.
_JSON = frozenset({"json", "jsonb"})
# A cast to these with a length cuts off a value. Without one, `bit` has the length 1.
_CUT_OFF = {
    "character varying": "::character varying",
    "character": "::bpchar",
    "bit": "",
    "bit varying": "",
}


def using(comparison: Comparison, column: str, old: str, new: str) -> str | None:
    """The USING expression of a type change; None where PostgreSQL needs none."""
    before, after = (_bare(comparison, each) for each in (old, new))
    if before.endswith("[]") and after.endswith("[]"):
        before, after = (_bare(comparison, each[:-2]) for each in (before, after))
    cast = comparison.casts.get((before, after))
    if before == after or cast in ("i", "a") or after in _STRINGS:
        return None
    by_text = "" if cast is not None or not comparison.casts or before in _STRINGS else "::text"
    if by_text and after in _JSON:
        value = f"to_{after}({column})"
        return value if new == after else f"{value}::{new}"
    if by_text and old.endswith("[]") and new.endswith("[]"):
        by_text += "[]"
    return f"{column}{by_text}::{new}"


def is_yours(comparison: Comparison, old: str, new: str) -> bool:
    """Whether a person has to write the value.

    PostgreSQL may refuse it, or it has no cast, and by its text the value is a guess.
    """
    if may_not_fit(old, new):
        return True
    by = using(comparison, "", old, new)
    if by is None or all(_enum(comparison, each) for each in (old, new)):
        return False
    from_text = _bare(comparison, old) in _STRINGS and new.endswith("[]")
    return from_text or by.startswith("::text")


def differs(comparison: Comparison, column: str, type_: str, value: str) -> str:
    """The condition for a row in which a column of the type has not what `value` gives.

    Both are compared as texts, since not every type has an operator for it, and by their bytes: two
    columns may have collations of their own, or one that takes different texts for equal. A value
    that the type would cut off is another one.
    """
    bare = _bare(comparison, type_)
    element = bare.removesuffix("[]")
    array = bare[len(element) :]
    cast, of_array = f"::{type_}", ""
    if element in _CUT_OFF:
        cast = _CUT_OFF[element] and _CUT_OFF[element] + array
        # Each element without the blanks that the type adds.
        of_array = "::text[]" if array and element == "character" else ""
    compared = f'{of_array}::text COLLATE "C"'
    return f"{column}{compared} IS DISTINCT FROM ({value}){cast}{compared}"


def gone_values(comparison: Comparison, old: str, new: str) -> list[str]:
    """The values that an enum of the database has, and that in its place lacks."""
    before, after = _enum(comparison, old), _enum(comparison, new)
    return [each for each in before if each not in after] if before and after else []


def _enum(comparison: Comparison, type_: str) -> tuple[str, ...]:
    """The values of an enum, or of one in an array; none of another type."""
    found = _named(comparison, Enum, type_.removesuffix("[]"))
    return tuple(found.values) if found else ()


def _bare(comparison: Comparison, type_: str) -> str:
    """A type without its modifier; of a domain the type below."""
    bare = _MODIFIER.sub("", type_)
    domain = _named(comparison, Domain, bare)
    return _bare(comparison, domain.type) if domain else bare


def _named(comparison: Comparison, kind: type[Found], type_: str) -> Found | None:
    """The type of that name, which one of the sides has."""
    key = Key(kind.__name__.lower(), whole_name(type_) if is_whole_name(type_) else "")
    sides = comparison.database, comparison.models, comparison.temporary
    return next(filter(None, (each.find(kind, key) for each in sides)), None)
