"""Columns as a revision declares them, from a catalog alone.

A type that SQLAlchemy does not know has no code: its column is written as SQL.
"""

import re

from sqlalchemy.dialects import postgresql

from surefoot.autogenerate.rendering import Code, code, escaped, text_code
from surefoot.catalog import Catalog, Key
from surefoot.catalog.definitions import identity_parts, is_name, is_whole_name, names, whole_name
from surefoot.catalog.kinds import Column, Domain, Sequence
from surefoot.catalog.model import key_of
from surefoot.quoting import own_name, quoted, schema_of

_TYPE = re.compile(r"(.+?)(?:\((\d+)(?:,(-?\d+))?\))?( with(?:out)? time zone)?")
_TYPES = {
    "bigint": "BigInteger", "boolean": "Boolean", "bytea": "LargeBinary", "character": "CHAR",
    "character varying": "String", "date": "Date", "double precision": "Double",
    "integer": "Integer", "interval": "Interval", "json": "JSON", "numeric": "Numeric",
    "real": "REAL", "smallint": "SmallInteger", "text": "Text", "uuid": "Uuid",
}  # fmt: skip
_TIMES = {"timestamp": "DateTime", "time": "Time"}
_SIZED = ("character", "character varying", "numeric")
_COLLATABLE = ("character", "character varying", "text")
HIGHEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_OPTION = re.compile(r"(START|INCREMENT|MINVALUE|MAXVALUE|CACHE)(?: WITH| BY)? (-?\d+)")


def type_code(type_: str, collation: str | None, catalog: Catalog) -> Code | None:
    """The type; None where SQLAlchemy has none that loses nothing."""
    if type_.endswith("[]"):
        inner = type_code(type_.removesuffix("[]"), collation, catalog)
        return None if inner is None else Code(f"postgresql.ARRAY({inner})")
    if is_whole_name(type_):
        name = whole_name(type_)
        there = f", schema={schema_of(name)!r}" if schema_of(name) else ""
        if Key("enum", name) in catalog.objects:
            return Code(f"postgresql.ENUM(name={own_name(name)!r}{there}, create_type=False)")
        if domain := catalog.find(Domain, Key("domain", name)):
            of = type_code(domain.type, domain.collation, catalog)
            said = f"{own_name(name)!r}, {of}{there}"
            return of and Code(f"postgresql.DOMAIN({said}, create_type=False)")
        if Key("type", name) in catalog.objects:
            return None
    found = _TYPE.fullmatch(type_)
    if found is None or (collation and (found[1] not in _COLLATABLE or not is_name(collation))):
        return None
    base, size, scale, zone = found.groups()
    collated = names(collation)[0] if collation else None
    if base in _TIMES and zone:
        has_zone = zone == " with time zone"
        if size is None:
            return code(_TIMES[base], timezone=has_zone)
        return Code(f"postgresql.{base.upper()}(timezone={has_zone}, precision={size})")
    if base in _TYPES and not zone and (size is None or base in _SIZED):
        given = [int(each) for each in (size, scale) if each is not None]
        return code(_TYPES[base], *given, collation=collated)
    # Others are in SQLAlchemy's module for PostgreSQL, under their own name.
    is_there = type_.isidentifier() and hasattr(postgresql, type_.upper())
    return Code(f"postgresql.{type_.upper()}()") if is_there else None


def type_of(column: Column, catalog: Catalog) -> Code | None:
    """The type of a column as the project spells it, or as `type_code` does."""
    spelled = catalog.spelled.get(key_of(column))
    if spelled is not None:
        return Code(spelled)
    return type_code(column.type, column.collation, catalog)


def column_code(column: Column, catalog: Catalog, *, serial: bool | None = None) -> Code | None:
    """The column for `op.create_table` and `op.add_column`; None where its type has no code.

    Of a column in the primary key of a new table, `serial` is whether SQLAlchemy shall number it.
    """
    kind = type_of(column, catalog)
    if kind is None:
        return None
    made = []
    if column.generated is not None:
        expression, _, word = column.generated.rpartition(" ")
        persisted = Code(word == "STORED")
        made.append(code("Computed", escaped(expression), persisted=persisted))
    if column.identity is not None:
        word, given = identity_parts(column.identity)
        made.append(code("Identity", always=word == "ALWAYS", **_options(given, column.type)))
    numbers = serial is not None and column.type in HIGHEST and column.identity is None
    whole = code(
        "Column",
        column.name,
        kind,
        *made,
        server_default=text_code(column.default) if column.default and not serial else None,
        autoincrement=Code(serial) if numbers else None,
        nullable=Code(not column.not_null),
        comment=column.comment,
    )
    whole.called = column.name
    return whole


def serial_sequence(column: Column, catalog: Catalog) -> Key | None:
    """The sequence that `serial` gives to a column."""
    key = Key("sequence", f"{column.table}_{column.name}_seq")
    found = catalog.find(Sequence, key)
    is_usual = (
        found is not None
        and found.owned_by == f"{column.table}.{column.name}"
        and not found.comment
        and column.default == f"nextval('{quoted(key.name)}'::regclass)"
        and found.definition.startswith(f"AS {column.type} ")
        and not _options(found.definition, column.type)
    )
    return key if is_usual else None


def _options(given: str, type_: str) -> dict[str, object]:
    """The options of a sequence that differ from the defaults for its type."""
    usual = {"start": 1, "increment": 1, "minvalue": 1, "maxvalue": HIGHEST.get(type_), "cache": 1}
    found = {name.lower(): int(value) for name, value in _OPTION.findall(given)}
    options: dict[str, object] = {n: each for n, each in found.items() if each != usual[n]}
    return {**options, "cycle": True} if given.endswith(" CYCLE") else options
