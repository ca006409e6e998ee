"""Column values for sample rows: SQL expressions in which `n` is the number of the row."""

import re
from collections.abc import Iterator

from surefoot.quoting import literal
from surefoot.trace.schema_objects import Column
from surefoot.trace.snapshot import Snapshot

# By the type's name without its modifier.
VALUES = {
    "smallint": "(n % 30000)::smallint",
    "integer": "n::integer",
    "bigint": "n",
    "numeric": "(n % 1000)",
    "real": "n",
    "double precision": "n",
    "boolean": "n % 2 = 0",
    "text": "'text ' || n",
    "character varying": "left('t' || n, LENGTH)",
    "character": "left('t' || n, LENGTH)",
    "bytea": "sha256(n::text::bytea)",
    "date": "date '2020-01-01' + n::integer % 1000",
    "timestamp with time zone": "timestamptz '2020-01-02+00' + n * interval '1 minute'",
    "timestamp without time zone": "timestamp '2020-01-01' + n * interval '1 minute'",
    "time without time zone": "time '12:00'",
    "interval": "n * interval '1 second'",
    "uuid": "md5(n::text)::uuid",
    "json": "'{}'::json",
    "jsonb": "'{}'::jsonb",
    "inet": "'10.0.0.0'::inet + n",
    "cidr": "('10.0.0.0'::inet + n)::cidr",
    "macaddr": "('08:00:00:00:00:' || lpad(to_hex(n % 256), 2, '0'))::macaddr",
    "money": "n::numeric::money",
    "name": "('t' || n)::name",
    "citext": "'text ' || n",
    "oid": "n::oid",
    "bit varying": "n::integer::bit(32)",
    "tsvector": "to_tsvector('simple', 'text ' || n)",
    "point": "point(n, n)",
    "int4range": "int4range(n::integer, n::integer + 1)",
    "int8range": "int8range(n, n + 1)",
    "numrange": "numrange(n, n + 1)",
    "daterange": "daterange(date '2020-01-01' + n::integer, date '2020-01-02' + n::integer)",
    "tsrange": "tsrange(timestamp '2020-01-01' + n * interval '1 hour', "
    "timestamp '2020-01-01' + (n + 1) * interval '1 hour')",
    "tstzrange": "tstzrange(timestamptz '2020-01-01+00' + n * interval '1 hour', "
    "timestamptz '2020-01-01+00' + (n + 1) * interval '1 hour')",
}
# Spellings that a check on a string may accept.
SPELLINGS = (
    "'text ' || n",
    "'t' || n",
    "encode(sha256(n::text::bytea), 'hex')",
    "n::text",
    "'/' || n",
    "'T' || n",
    "'t' || n || '@example.org'",
    "md5(n::text)::uuid::text",
)
# Those of a column that needs another one in each row.
UNIQUE_SPELLINGS = (
    *SPELLINGS,
    "lpad(n::text, 8, '0')",
    "'AB' || lpad(n::text, 6, '0')",
)
_TEXT = re.compile(r"(?<!~ )'((?:[^']|'')*)'")
# `LIKE 'x%'`, as pg_get_constraintdef writes it.
_PREFIX = re.compile(r"(?<!!)~~ '([^'%_]+)%'")
_NUMBER = re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?(?![\w.'])")


def value(snapshot: Snapshot, column: Column) -> str | None:
    """A value of the column's type, or None where the type is unknown."""
    name, _, modifier = column.type.partition("(")
    length = modifier.rstrip(")") if modifier.rstrip(")").isdecimal() else "200"
    if column.type.endswith("[]"):
        return "'{}'"
    if name in VALUES:
        return VALUES[name].replace("LENGTH", length)
    for type_ in snapshot.types.values():
        if type_.name != name.strip('"'):
            continue
        if type_.base:
            return value(snapshot, column._replace(type=type_.base))
        labels = (x.label for x in snapshot.labels.values() if x.type == type_.oid)
        return next(map(literal, labels), None)
    return None


def mentioned(condition: str) -> Iterator[str]:
    """The values that a condition names: prefixes, texts, numbers and their neighbours."""
    for prefix in _PREFIX.findall(condition):
        yield f"'{prefix}' || n"
    for text in _TEXT.findall(condition):
        yield f"'{text}'"
    for number in _NUMBER.findall(condition):
        yield from (number, f"{number} + 1", f"{number} - 1", f"{number} + 0.5")
