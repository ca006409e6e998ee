"""Makes the definition of a view the same from every server.

Until PostgreSQL 15 the columns of a view on a single relation are written with the relation's name
before them, from 16 on without it. The catalog has the newer form.
"""

import re
from collections.abc import Iterator

_PIECE = re.compile(
    r"""'(?:[^']|'')*'          # a string
      | "(?:[^"]|"")*"          # a quoted name
      | \w+ | \s+ | .           # a word, space, a sign""",
    re.VERBOSE | re.DOTALL,
)
_BARE_SINCE = 160000
# Words that end FROM, and words that show more than one relation in it.
_AFTER_FROM = frozenset({"WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH"})
_MORE_THAN_ONE = frozenset({"JOIN", ",", "UNION", "INTERSECT", "EXCEPT", "LATERAL"})


def view_definition(definition: str, server_version: int) -> str:
    """A view's definition as PostgreSQL 16 and later write it, without the semicolon."""
    definition = definition.strip().rstrip(";")
    if server_version >= _BARE_SINCE:
        return definition
    pieces = _PIECE.findall(definition)
    relation = _only_relation(pieces)
    return definition if relation is None else "".join(_bare(pieces, relation))


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
        if piece == relation and before != "." and pieces[index + 1 : index + 2] == ["."]:
            # In FROM the same name before a dot is a schema, which has the relation's name.
            skipped |= {index, index + 1}
    return (piece for index, piece in enumerate(pieces) if index not in skipped)
