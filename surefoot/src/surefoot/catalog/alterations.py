"""The statements that take an object from one state to another where it stands."""

from __future__ import annotations

import re

from surefoot.catalog.model import Attributes, Value
from surefoot.catalog.statements import literal, quoted

_SEQUENCE_OPTION = re.compile(r"(START WITH|INCREMENT BY|MINVALUE|MAXVALUE|CACHE|CYCLE)")


def table(name: Value, before: Attributes, after: Attributes) -> list[str]:
    """Persistence, options and row security. The first writes the table anew."""
    said = []
    if before["persistence"] != after["persistence"]:
        said.append("SET UNLOGGED" if after["persistence"] == "unlogged" else "SET LOGGED")
    said += options(before["options"], after["options"])
    if before["row security"] != after["row security"]:
        said.append(
            f"{'DISABLE' if after['row security'] is None else 'ENABLE'} ROW LEVEL SECURITY"
        )
        forced = after["row security"] == "forced"
        if forced or before["row security"] == "forced":
            said.append(f"{'FORCE' if forced else 'NO FORCE'} ROW LEVEL SECURITY")
    return [f"ALTER TABLE {quoted(name)} {words}" for words in said]


def options(before: Value, after: Value, prefix: str = "") -> list[str]:
    """The clauses that reset storage parameters and set others."""
    old, new = listed(before), listed(after)
    said = []
    if gone := [option.split("=")[0] for option in old if option not in new]:
        said.append(f"RESET ({', '.join(prefix + name for name in gone)})")
    if added := [option for option in new if option not in old]:
        said.append(f"SET ({', '.join(prefix + option for option in added)})")
    return said


def identity(table: str, name: str, before: Attributes, after: Attributes) -> list[str]:
    """Make, change or drop the identity of a column."""
    column = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)}"
    wanted = after["identity"]
    if not isinstance(wanted, str):
        return [f"{column} DROP IDENTITY"]
    kind, _, rest = wanted.partition(" START ")
    given = f"START {rest}"
    if before["identity"] is not None:
        settings = _SEQUENCE_OPTION.sub(r"SET \1", given)
        cycle = "" if "CYCLE" in given else " SET NO CYCLE"
        return [f"{column} SET GENERATED {kind} {settings}{cycle}"]
    # Rows that are there have their numbers: the sequence goes on after them.
    return [
        f"{column} ADD GENERATED {kind} AS IDENTITY ({given})",
        "SELECT setval("  # noqa: S608 - names of a catalog, quoted
        f"pg_get_serial_sequence({literal(quoted(table))}, {literal(name)}), "
        f"max({quoted(name)})) FROM {quoted(table)} HAVING count(*) > 0",
    ]


def sequence(after: Attributes) -> str:
    """What a sequence counts."""
    cycle = "" if str(after["definition"]).endswith(" CYCLE") else " NO CYCLE"
    return f"ALTER SEQUENCE {quoted(after['name'])} {after['definition']}{cycle}"


def own(attributes: Attributes) -> str:
    """Whose column a sequence goes with."""
    owner = attributes["owned by"]
    table, _, column = str(owner).rpartition(".")
    by = "NONE" if owner is None else f"{quoted(table)}.{quoted(column)}"
    return f"ALTER SEQUENCE {quoted(attributes['name'])} OWNED BY {by}"


def domain(before: Attributes, after: Attributes) -> list[str]:
    """Default, NOT NULL and checks of a domain."""
    said: list[str] = []
    if before["default"] != after["default"]:
        said.append(
            "DROP DEFAULT" if after["default"] is None else f"SET DEFAULT {after['default']}"
        )
    if before["not null"] != after["not null"]:
        said.append(f"{'SET' if after['not null'] else 'DROP'} NOT NULL")
    old, new = listed(before["checks"]), listed(after["checks"])
    said += [f"DROP CONSTRAINT {check.split(' CHECK ')[0]}" for check in old if check not in new]
    said += [f"ADD CONSTRAINT {check}" for check in new if check not in old]
    return [f"ALTER DOMAIN {quoted(after['name'])} {words}" for words in said]


def listed(value: Value) -> tuple[str, ...]:
    """A value that is a list, or an empty one where there is none."""
    return value if isinstance(value, tuple) else ()
