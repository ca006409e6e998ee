"""A model as a list of declarations, from which single ones can be taken.

Each declaration is a piece of Python, as a person would write it in models. So a pair of models
that fails is printed as two functions, and can be made smaller without knowing what it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy
from sqlalchemy import MetaData, String, TypeDecorator
from sqlalchemy.dialects import postgresql

from harness.generation import ddl, new_metadata

INDENT = "    "


@dataclass(frozen=True)
class Declaration:
    """One thing that a model declares; `code` is a statement, or an argument of its table."""

    name: str
    code: str
    # The table that it is an argument of.
    table: str | None = None
    # The declarations without which it cannot be there.
    needs: frozenset[str] = frozenset()
    # Of a column: how it is typed. It tells which values and which changes fit.
    type: str = ""
    # What else the generator has to know about it.
    facts: tuple[str, ...] = field(default=(), compare=False)
    # The name that a renamed table or column, or a moved table, had in the model before.
    former: str = field(default="", compare=False)


Model = Sequence[Declaration]


class Shouted(TypeDecorator[str]):
    """A type of the project, which no revision can import."""

    impl = String(20)
    cache_ok = True


def source(model: Model, name: str) -> str:
    """The model as a function that declares it in the metadata `m`, and a part of it apart."""
    lines = [f"def {name}(m: MetaData, apart: MetaData) -> None:"]
    is_parted = any(", apart, …" in each.code for each in model)
    # Columns name types.
    for each in sorted(model, key=lambda each: "type" not in each.facts):
        if each.table is None:
            arguments = [other.code for other in model if other.table == each.name]
            # An event after all tables belongs to the last MetaData.
            late = is_parted and "first=True" not in each.code
            code = each.code.replace("ddl(m, ", "ddl(apart, ", 1) if late else each.code
            lines += _statement(code, arguments)
    return "\n".join([*lines, *([] if len(lines) > 1 else [f"{INDENT}pass"])]) + "\n"


def _statement(code: str, arguments: Sequence[str]) -> Iterator[str]:
    if "…" not in code:
        yield INDENT + code
        return
    before, _, after = code.partition("…")
    yield INDENT + before.rstrip()
    yield from (f"{INDENT * 2}{each}," for each in arguments)
    yield INDENT + after.removeprefix(", ")


def metadata(model: Model) -> Sequence[MetaData]:
    """The metadata that the model declares; it may need types of the first one."""
    known = {**vars(sqlalchemy), **vars(postgresql), "ddl": ddl}
    known.update(Enum=sqlalchemy.Enum, Shouted=Shouted)
    exec(source(model, "models"), known)
    made = new_metadata(), new_metadata()
    known["models"](*made)
    return made if made[1].tables else made[:1]


def renames(before: Model, after: Model) -> Mapping[str, str]:
    """The new names of tables and columns that are declared as renamed or moved, by the former."""
    known, now = {each.name for each in before}, {each.name for each in after}
    found = {each.former: each.name for each in after if each.former in known - now}
    # A column, only where its table is known to be the same.
    of = {each.name: str(each.table) for each in (*before, *after) if each.table}
    return {
        old: new
        for old, new in found.items()
        if new not in of or found.get(of[old], of[old]) == of[new]
    }


def without(model: Model, names: Iterable[str]) -> Model:
    """The model without these declarations, and without what needs them."""
    gone = set(names)
    while True:
        more = {
            each.name
            for each in model
            if each.name not in gone and (each.table in gone or each.needs & gone)
        }
        if not more:
            return [each for each in model if each.name not in gone]
        gone |= more
