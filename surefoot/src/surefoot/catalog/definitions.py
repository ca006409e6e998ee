"""Definitions of indexes and constraints, as pg_get_indexdef and pg_get_constraintdef write them.

Each parser returns None for a definition that has more in it than its dataclass holds.
"""

import re

from surefoot.frozen import dataclass
from surefoot.quoting import APART

# Compiled where one is used: most processes parse none.
_NAME = r'(?:\w+|"(?:[^"]|"")+")'
_RELATION = rf"(?:{_NAME}\.)?{_NAME}"
_NAMES = rf"\(({_NAME}(?:, {_NAME})*)\)"
_INDEX = rf"CREATE (UNIQUE )?INDEX {_NAME} ON {_RELATION} USING (\w+) \("
_INDEX_END = rf"(?: INCLUDE {_NAMES})?( NULLS NOT DISTINCT)?(?: WITH \(([^()]*)\))?(?: WHERE (.*))?"
_KEY = (
    rf"(PRIMARY KEY|UNIQUE)( NULLS NOT DISTINCT)? {_NAMES}(?: INCLUDE {_NAMES})?"
    r"( DEFERRABLE)?(?: INITIALLY (DEFERRED))?"
)
_ACTION = r"(CASCADE|RESTRICT|SET NULL|SET DEFAULT)"
_REFERENCE = (
    rf"FOREIGN KEY {_NAMES} REFERENCES ({_RELATION}){_NAMES}"
    rf"(?: ON UPDATE {_ACTION})?(?: ON DELETE {_ACTION})?(.*)"
)
_PIECE = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[(),]|[^'"(),]+"""


@dataclass(frozen=True)
class IndexDefinition:
    """An index; the items are names or expressions as SQL writes them."""

    unique: bool
    method: str
    items: tuple[str, ...]
    include: tuple[str, ...]
    nulls_not_distinct: bool
    options: str | None
    where: str | None


@dataclass(frozen=True)
class KeyDefinition:
    """A primary key or a unique constraint; both lists are as SQL writes them."""

    kind: str
    columns: str
    include: str | None
    nulls_not_distinct: bool
    deferrable: bool
    initially: str | None

    @property
    def is_primary(self) -> bool:
        """Whether this is a primary key."""
        return self.kind == "PRIMARY KEY"


@dataclass(frozen=True)
class ReferenceDefinition:
    """A foreign key; `rest` is the text after the actions: MATCH, DEFERRABLE."""

    columns: tuple[str, ...]
    table: str
    referred: tuple[str, ...]
    on_update: str | None
    on_delete: str | None
    rest: str


def parse_index(definition: str) -> IndexDefinition | None:
    """An index; None where it has a tablespace or another clause."""
    head = re.match(_INDEX, definition)
    if head is None:
        return None
    items, end = _items(definition, head.end())
    tail = re.fullmatch(_INDEX_END, definition[end:], re.DOTALL)
    if tail is None:
        return None
    include, nulls, options, where = tail.groups()
    return IndexDefinition(
        bool(head[1]), head[2], tuple(items), tuple(names(include or "")), bool(nulls),
        options, where,
    )  # fmt: skip


def parse_key(definition: str) -> KeyDefinition | None:
    """A primary key or a unique constraint."""
    match = re.fullmatch(_KEY, definition)
    if match is None:
        return None
    kind, nulls, columns, include, deferrable, initially = match.groups()
    return KeyDefinition(kind, columns, include, bool(nulls), bool(deferrable), initially)


def parse_reference(definition: str) -> ReferenceDefinition | None:
    """A foreign key."""
    match = re.fullmatch(_REFERENCE, definition, re.DOTALL)
    if match is None:
        return None
    columns, table, referred, on_update, on_delete, rest = match.groups()
    return ReferenceDefinition(
        tuple(names(columns)), whole_name(table), tuple(names(referred)), on_update, on_delete, rest
    )


def parse_check(definition: str) -> str | None:
    """The condition of a check; None where a clause follows it."""
    match = re.fullmatch(r"CHECK \((.*)\)", definition, re.DOTALL)
    return None if match is None else match[1]


def not_null_column(definition: str) -> str:
    """The column of a NOT NULL constraint."""
    return names(definition.removeprefix("NOT NULL "))[0]


def check_name(check: str) -> str:
    """The name, as SQL writes it, of a domain's check: `name CHECK (…)`."""
    return check.partition(" CHECK ")[0]


def identity_parts(identity: str) -> tuple[str, str]:
    """ALWAYS or BY DEFAULT, and the options of the sequence."""
    kind, _, rest = identity.partition(" START ")
    return kind, f"START {rest}"


def is_name(text: str) -> bool:
    """Whether the text is one identifier."""
    return re.fullmatch(_NAME, text) is not None


def is_whole_name(text: str) -> bool:
    """Whether the text is one identifier, with or without a schema."""
    return re.fullmatch(_RELATION, text) is not None


def names(listed: str) -> list[str]:
    """The identifiers of a list as SQL writes it, without their quotes."""
    found = re.findall(_NAME, listed)
    return [name[1:-1].replace('""', '"') if name.startswith('"') else name for name in found]


def whole_name(text: str) -> str:
    """One name as SQL writes it, with or without a schema, as a catalog has it."""
    return APART.join(names(text))


def _items(definition: str, start: int) -> tuple[list[str], int]:
    """The items up to the closing parenthesis, and the place after it."""
    depth, items, place = 0, [""], start
    for match in re.compile(_PIECE).finditer(definition, start):
        piece, place = match[0], match.end()
        if piece == ")" and not depth:
            break
        depth += (piece == "(") - (piece == ")")
        if piece == "," and not depth:
            items.append("")
        else:
            items[-1] += piece
    return [item.strip() for item in items], place
