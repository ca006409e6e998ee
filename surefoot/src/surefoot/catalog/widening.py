"""Types that keep every value of another type, by the names that PostgreSQL gives them."""

import re

_MODIFIER = re.compile(r"^([a-z ]+?)(?:\((\d+)(?:,(-?\d+))?\))?( with(?:out)? time zone)?$")
_INTEGERS = ("smallint", "integer", "bigint")
_FLOATS = ("real", "double precision")
_TIMES = ("timestamp", "time", "interval")
# Types whose values all fit a greater modifier.
_LENGTHENED = ("character varying", "bit varying", "numeric", *_TIMES)
# Types with operators between them.
_COMPARED = (_INTEGERS, _FLOATS, ("character varying", "text"))
# Types that keep less of a value than another one, to which PostgreSQL assigns it.
_COARSER = {
    "numeric": (*_INTEGERS, *_FLOATS),
    # A numeric gets 15 digits of the one, and 6 of the other.
    "double precision": (*_INTEGERS, "real", "numeric"),
    "real": (*_INTEGERS, "numeric"),
    "timestamp": ("date", "time"),
    "interval": ("time",),
}
# A check of one column by a list of values, as the catalog has it.
_VALUE = r"\(?(?:'(?:[^']|'')*'|-?\d+)(?:::[\w ]+)?\)?(?:::[\w ]+)?"
_LISTED = re.compile(
    rf"CHECK (\(+(?:\w+|\"(?:[^\"]|\"\")+\")\)*(?:::[\w ]+)?\)*) = ANY "
    rf"\(ARRAY\[({_VALUE}(?:, {_VALUE})*)\]\)+(?: NOT VALID)?"
)


def is_widening(old: str, new: str) -> bool:
    """Whether every value of the old type fits the new one, and code can use it unchanged."""
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(old) < _INTEGERS.index(new)
    return needs_no_rewrite(old, new)


def adds_values(old: str, new: str) -> bool:
    """Whether a check by a list of values accepts all that the old one does."""
    before, after = _LISTED.fullmatch(old), _LISTED.fullmatch(new)
    if before is None or after is None or before[1] != after[1]:
        return False
    listed = ({*re.findall(_VALUE, each[2])} for each in (before, after))
    return next(listed) <= next(listed)


def needs_no_rewrite(old: str, new: str) -> bool:
    """Whether PostgreSQL changes the type in its catalog only, without a rewrite."""
    before, after = _MODIFIER.match(old), _MODIFIER.match(new)
    if before is None or after is None:
        return old == new
    if before[1] == "character varying" and new in ("text", "character varying"):
        return True
    if before[1] != after[1] or before[4] != after[4] or before[3] != after[3]:
        return False
    if before[1] in ("character", "bit"):  # without a modifier they have the length 1
        return old == new
    if before[1] not in _LENGTHENED and after[2] is not None:  # that of an extension
        return old == new
    return after[2] is None or (before[2] is not None and int(before[2]) <= int(after[2]))


def may_not_fit(old: str, new: str) -> bool:
    """Whether PostgreSQL may refuse each value for its length, as it does with bits and vectors."""
    before, after = _MODIFIER.match(old), _MODIFIER.match(new)
    if before is None or after is None or before[1] != after[1] or after[2] is None:
        return False
    return old != new and before[1] not in (*_LENGTHENED, "character")


def may_refer(one: str, other: str) -> bool:
    """Whether a column of one type can refer to one of the other; False also where it is not known.

    PostgreSQL needs an operator between them in the index of the key.
    """
    found = {each: _MODIFIER.match(each) for each in (one, other)}
    bases = {match[1] + (match[4] or "") if match else each for each, match in found.items()}
    return len(bases) == 1 or any(bases <= {*family} for family in _COMPARED)


def depends_on_zone(old: str, new: str) -> bool:
    """Whether PostgreSQL converts a value by the time zone of the session."""
    # A range has its zone in its name.
    with_zone = [" with time zone" in each or each.startswith("tstz") for each in (old, new)]
    return with_zone[0] != with_zone[1]


def loses_digits(old: str, new: str) -> bool:
    """Whether PostgreSQL rounds a value to the new type, or cuts off a part of it, in silence."""
    before, after = (_MODIFIER.match(each.removesuffix("[]")) for each in (old, new))
    if before is None or after is None:
        return False
    if before[1] == after[1]:
        digits = 3 if before[1] == "numeric" else 2
        had, kept = before[digits], after[digits]
        rounds = before[1] in ("numeric", *_TIMES)
        return rounds and kept is not None and (had is None or int(kept) < int(had))
    is_whole = after[1] in _INTEGERS and before[3] == "0"
    return after[1] in _COARSER.get(before[1], ()) and not is_whole
