"""A Picture is a catalog as people look at it: a box for each table, with its rows.

Between two catalogs each box and row has a mark: added, gone or changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from surefoot.catalog import Catalog, Key, kinds
from surefoot.catalog.definitions import names, parse_key, parse_reference
from surefoot.catalog.kinds import (
    Column,
    Constraint,
    Partition,
    SchemaObject,
    Table,
    Value,
    table_of,
)
from surefoot.catalog.model import NOTHING
from surefoot.catalog.tables import own_value
from surefoot.frozen import dataclass
from surefoot.quoting import shown

# Of a former value; the body of a function is longer.
LONGEST = 80
Mark = Literal["", "added", "gone", "changed"]


@dataclass(frozen=True)
class Row:
    """A column of a table, or something else that belongs to it: a constraint, an index."""

    kind: str
    name: str
    # The type of a column, the definition of the rest.
    text: str
    comment: str | None = None
    mark: Mark = ""
    # The former values of what has changed: `type was integer`.
    was: tuple[str, ...] = ()
    is_required: bool = False
    # Its value where a row gives none.
    default: str | None = None
    # primary key, unique, foreign key.
    keys: tuple[str, ...] = ()
    # The tables that it refers to.
    refers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Box:
    """A table; the last one without a name holds what belongs to no table."""

    name: str
    comment: str | None = None
    mark: Mark = ""
    was: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()

    @property
    def columns(self) -> Sequence[Row]:
        return [row for row in self.rows if row.kind == "column"]

    @property
    def others(self) -> Sequence[Row]:
        return [row for row in self.rows if row.kind != "column"]


@dataclass(frozen=True)
class Picture:
    """The boxes, by name; of a difference those that are not the same."""

    title: str
    boxes: tuple[Box, ...]
    # The number of tables that are the same; None where this is no difference.
    same: int | None = None

    @property
    def summary(self) -> str:
        """One sentence about what is there, or what differs."""
        tables = [box for box in self.boxes if box.name]
        if self.same is None:
            return f"{len(tables)} {'table' if len(tables) == 1 else 'tables'}."
        counts = {word: sum(box.mark == word for box in tables) for word in _WORDS}
        said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        return f"Tables: {', '.join(filter(None, (said, f'{self.same} as before')))}."


_WORDS: tuple[Mark, ...] = ("added", "gone", "changed")
_KEYS = ("primary key", "foreign key", "unique")


def picture(title: str, after: Catalog, before: Catalog | None = None) -> Picture:
    """The picture of a catalog, or of the difference between two."""
    boxes = [*_boxes("", after, after if before is None else before)]
    if before is None:
        return Picture(title, tuple(boxes))
    differing = [box for box in boxes if box.mark]
    same = sum(1 for box in boxes if box.name and not box.mark)
    rest = [replace(each, rows=_marked(each.rows)) for each in differing if not each.name]
    return Picture(title, tuple([each for each in differing if each.name] + rest), same)


def _marked(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.mark)


def _boxes(prefix: str, after: Catalog, before: Catalog) -> Iterator[Box]:
    tables = {name for side in (before, after) for name in _tables(side)}
    for name in sorted(tables):
        key = Key("table", name)
        ours, theirs = before.find(Table, key), after.find(Table, key)
        rows = tuple(
            replace(
                row, refers=tuple(each if "." in each else f"{prefix}{each}" for each in row.refers)
            )
            for row in _rows(name, after, before)
        )
        mark, was = _compared(ours, theirs)
        if not mark and _marked(rows):
            mark = "changed"
        table = theirs or ours
        assert table is not None
        yield Box(f"{prefix}{shown(name)}", table.comment, mark, was, rows)
    others = {*before.others, *after.others}
    for schema in sorted(others):
        pair = (side.others.get(schema, NOTHING) for side in (after, before))
        yield from _boxes(f"{schema}.", *pair)
    rest = tuple(
        _row(key, after, before)
        for key in sorted({*before.objects, *after.objects})
        if key.name not in tables or key.kind != "table"
        if table_of(after.objects.get(key) or before.objects[key]) not in tables
        if not _is_owned(after.objects.get(key) or before.objects[key])
    )
    if rest:
        mark = "changed" if _marked(rest) else ""
        named = tuple(replace(row, name=f"{prefix}{row.name}") for row in rest)
        yield Box("", mark=mark, rows=named)


def _tables(side: Catalog) -> Iterator[str]:
    return (key.name for key, _ in side.each(Table))


def _is_owned(item: SchemaObject) -> bool:
    """Whether it is the sequence of a column, whose default tells of it."""
    return isinstance(item, kinds.Sequence) and item.owned_by is not None


def _rows(table: str, after: Catalog, before: Catalog) -> Iterator[Row]:
    """The columns in their order, then the rest by kind and name."""
    keys = {key for side in (before, after) for key, item in side.objects.items()
            if table_of(item) == table}  # fmt: skip
    order = _order(before.column_order.get(table, ()), after.column_order.get(table, ()))
    for name in order:
        if (key := Key("column", f"{table}.{name}")) in keys:
            yield _row(key, after, before)
    for key in sorted(keys):
        if key.kind != "column":
            yield _row(key, after, before)


def _order(before: Sequence[str], after: Sequence[str]) -> Sequence[str]:
    """The columns as they are, each that is gone after the one that it followed."""
    found, place = list(after), 0
    for name in before:
        if name in after:
            place = found.index(name) + 1
        else:
            found.insert(place, name)
            place += 1
    return found


def _row(key: Key, after: Catalog, before: Catalog) -> Row:
    ours, theirs = before.objects.get(key), after.objects.get(key)
    mark, was = _compared(ours, theirs)
    item, side = (theirs, after) if theirs is not None else (ours, before)
    assert item is not None
    name = item.name if table_of(item) is not None else shown(key.name)
    row = Row(key.kind, name, _text(item), item.comment, mark, was)
    if isinstance(item, Column):
        keys, refers = _keys(item, side)
        default = item.default or own_value(item)
        return replace(row, is_required=item.not_null, default=default, keys=keys, refers=refers)
    return row


def _text(item: SchemaObject) -> str:
    match item:
        case Column():
            return f"{item.type} COLLATE {item.collation}" if item.collation else item.type
        case Constraint():
            return f"{item.definition}{'' if item.validated else ' NOT VALID'}"
        case Partition():
            return item.bound
        case kinds.Enum():
            return ", ".join(item.values)
        case kinds.Domain():
            return " ".join([item.type, *(item.checks or ())])
    return str(getattr(item, "definition", None) or "")


def _keys(column: Column, side: Catalog) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that a column is part of, and the tables that it refers to."""
    found: set[str] = set()
    refers: dict[str, None] = {}
    for constraint in side.of_table(Constraint, column.table).values():
        if constraint.type == "foreign key":
            to = parse_reference(constraint.definition)
            if to is not None and column.name in to.columns:
                found.add(constraint.type)
                refers[shown(to.table)] = None
        else:
            key = parse_key(constraint.definition)
            if key is not None and column.name in names(key.columns):
                found.add(constraint.type)
    return tuple(each for each in _KEYS if each in found), tuple(refers)


def _compared(
    before: SchemaObject | None, after: SchemaObject | None
) -> tuple[Mark, tuple[str, ...]]:
    """The mark, and the former values of what has changed."""
    if before is None or after is None:
        return ("added", ()) if before is None else ("gone", ())
    old = before.attributes()
    was = tuple(_was(name, old.get(name)) for name in sorted(before.differing(after)))
    return ("changed" if was else ""), was


def _was(attribute: str, value: Value) -> str:
    """The former value, where it is short."""
    if isinstance(value, bool):
        said = "on" if value else "off"
    else:
        said = ", ".join(value) if isinstance(value, tuple) else value or "none"
    if len(said) > LONGEST or "\n" in said:
        return f"{attribute} changed"
    return f"{attribute} was {said}"
