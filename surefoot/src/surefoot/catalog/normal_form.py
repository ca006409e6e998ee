"""The normal form of an expression: the same from every server, and after it was read once more.

1. Until PostgreSQL 15 the columns of a view on a single relation are written with the relation's
   name before them, from 16 on without it. The catalog has the newer form.
2. PostgreSQL writes `varchar IN ('a', 'b')` with a cast of an array: `ARRAY['a', 'b']::text[]`.
   Where it reads this it keeps casts of the elements: `ARRAY['a'::text, 'b'::text]`. The catalog
   has the second form.
"""

import re
from collections.abc import Iterator

# A string, the body of a function, a quoted name.
_QUOTED = r"""'(?:[^']|'')*' | \$(\w*)\$.*?\$\1\$ | "(?:[^"]|"")*" """
# Of a query: a word, space, a sign. Of an expression: brackets, and the text between.
_PIECE = re.compile(rf"{_QUOTED} | \w+ | \s+ | .", re.VERBOSE | re.DOTALL)
_PART = re.compile(rf"{_QUOTED} | [^'\"$()\[\],]+ | .", re.VERBOSE | re.DOTALL)
_TYPE = r"""(?:[\w."]+(?: \w+)*(?:\([\d,]+\))?(?: with(?:out)? time zone)?)"""
_ARRAY_CAST = re.compile(rf"::({_TYPE})\[\]")
# An operand to which a cast binds: a name, a call or CASE, and further casts.
_SIMPLE = re.compile(rf"(?:[\w.]+|\s*CASE\s.*\sEND)(?:::{_TYPE}(?:\[\])?)*", re.DOTALL)
# With a precision it is rounded.
_NOW = re.compile(rf"{_QUOTED} | (?P<now>\bCURRENT_TIMESTAMP\b(?!\())", re.VERBOSE | re.DOTALL)
_BARE_SINCE = 160000
# Words that end FROM, and words that show more than one relation in it.
_AFTER_FROM = frozenset({"WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH"})
_MORE_THAN_ONE = frozenset({"JOIN", ",", "UNION", "INTERSECT", "EXCEPT", "LATERAL"})


def view_definition(definition: str, server_version: int) -> str:
    """A view's definition as PostgreSQL 16 and later write it, without the semicolon."""
    definition = definition.strip().rstrip(";")
    if server_version >= _BARE_SINCE:
        return definition
    pieces = [found[0] for found in _PIECE.finditer(definition)]
    relation = _only_relation(pieces)
    return definition if relation is None else "".join(_bare(pieces, relation))


def same_default(one: str | None, other: str | None) -> bool:
    """Whether two defaults are the same value: `now()` and CURRENT_TIMESTAMP are one time.

    Source: PostgreSQL's documentation of date and time functions, "Current Date/Time".
    """
    return _with_now(one) == _with_now(other)


def _with_now(text: str | None) -> str | None:
    return text and _NOW.sub(lambda found: "now()" if found["now"] else found[0], text)


def settled(text: str) -> str:
    """The text with a cast of ARRAY[…] as casts of the elements."""
    if "ARRAY[" not in text or "[]" not in text:
        return text
    # The items of each bracket that is open; only those of ARRAY[…] are apart.
    levels, place = [[""]], 0
    while place < len(text):
        part = _PART.match(text, place)
        assert part is not None
        piece, place = part[0], part.end()
        if piece in (")", "]") and len(levels) > 1:
            items = levels.pop()
            if levels[-1][-1].endswith("ARRAY["):
                # `(ARRAY[…])::text[]`, and no call such as `f(ARRAY[…])::text[]`.
                before = levels[-2][-1] if levels[-1] == ["ARRAY["] and len(levels) > 1 else ""
                wrapped = text[place : place + 1] == ")" and re.search(r'(?<![\w"])\($', before)
                cast = _ARRAY_CAST.match(text, place + bool(wrapped))
                if cast and items != [""]:
                    items = [_cast(item, cast[1], wrapped=bool(wrapped)) for item in items]
                    items[0] = items[0].removeprefix(" ")
                    place = cast.end()
                    if wrapped:
                        levels.pop()
                        levels[-1][-1] = before[:-1] + "ARRAY["
            levels[-1][-1] += ",".join(items) + piece
        elif piece == "," and len(levels) > 1 and levels[-2][-1].endswith("ARRAY["):
            levels[-1].append("")
        else:
            levels[-1][-1] += piece
            if piece in ("(", "["):
                levels.append([""])
    return levels[0][0] if len(levels) == 1 else text


def _cast(item: str, of: str, *, wrapped: bool) -> str:
    """An element with a cast, in parentheses where PostgreSQL writes them."""
    blank, item = " " if item[0] == " " or wrapped else "", item.removeprefix(" ")
    if item.startswith("ARRAY["):
        return blank + settled(f"({item})::{of}[]" if wrapped else f"{item}::{of}[]")
    bare, shorter = "", _PART.sub(lambda part: "x" if part[0][0] in "'\"" else part[0], item)
    while bare != shorter:
        bare, shorter = shorter, re.sub(r"\([^()]*\)|\[[^][]+\]", "", shorter)
    if wrapped or not _SIMPLE.fullmatch(bare):
        return f"{blank}({item})::{of}"
    return f"{blank}{item}::{of}"


def _outer(pieces: list[str]) -> Iterator[tuple[int, str, int]]:
    """The pieces of the query itself, without subqueries, with index and depth."""
    inside: list[bool] = []
    for index, piece in enumerate(pieces):
        if piece == ")" and inside:
            inside.pop()
        if not any(inside):
            yield index, piece, len(inside)
        if piece == "(":
            following = next((t for t in pieces[index + 1 :] if not t.isspace()), "")
            inside.append(following.upper() in ("SELECT", "WITH", "VALUES"))


def _only_relation(pieces: list[str]) -> str | None:
    """The name by which the query knows its relation, where it has exactly one."""
    words: list[str] = []
    in_from = False
    for _, piece, depth in _outer(pieces):
        if depth or piece.isspace():
            continue
        if piece.upper() == "FROM":
            in_from = True
        elif in_from and piece.upper() in _AFTER_FROM:
            break
        elif in_from:
            words.append(piece)
    if not words or any(word.upper() in _MORE_THAN_ONE for word in words):
        return None
    # `relation`, `schema.relation`, `relation alias`, `function() alias(names)`.
    return next((word for word in reversed(words) if word not in "()"), None)


def _bare(pieces: list[str], relation: str) -> Iterator[str]:
    skipped: set[int] = set()
    for index, piece, _ in _outer(pieces):
        before = pieces[index - 1] if index else ""
        following = "".join(pieces[index + 1 : index + 3])
        if piece == relation and before != "." and following[:1] == "." and following != ".*":
            # In FROM the same name before a dot is a schema, which has the relation's name.
            skipped |= {index, index + 1}
    return (piece for index, piece in enumerate(pieces) if index not in skipped)
