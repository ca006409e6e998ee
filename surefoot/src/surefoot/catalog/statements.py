"""What PostgreSQL would have to be told for an object to be as a catalog says.

Made from the catalog alone, so that a database can be brought back to a state that no model and
no revision describes any more. Tables and columns are not made here, nor what is known by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy.dialects import postgresql

from surefoot.catalog.model import Attributes, Key, Value

_PREPARER = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
TRIGGER_STATES = {"no": "DISABLE", "on replicas": "ENABLE REPLICA", "always": "ENABLE ALWAYS"}
# Objects that a table owns: their statements name it.
OF_TABLE = ("constraint", "trigger", "rule", "policy")
# Objects whose name is as SQL writes it, with types or an access method.
NAMED_IN_SQL = (
    "operator",
    "operator class",
    "text search configuration",
    "text search dictionary",
)


def quoted(name: Value) -> str:
    """A name as SQL writes it, quoted where it has to be."""
    return _PREPARER.quote(str(name))


def literal(value: Value) -> str:
    """A string as SQL writes it; NULL for none."""
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def create(key: Key, attributes: Attributes) -> tuple[str, ...]:
    """The statements that make the object, its comment and its state included."""
    name = quoted(attributes["name"])
    statements = [_CREATE[key.kind](name, attributes)]
    if key.kind == "trigger" and attributes["enabled"] != "yes":
        statements.append(enable_trigger(attributes))
    if key.kind == "sequence" and attributes["owned by"]:
        table, _, column = str(attributes["owned by"]).rpartition(".")
        statements.append(f"ALTER SEQUENCE {name} OWNED BY {quoted(table)}.{quoted(column)}")
    if attributes.get("comment"):
        statements.append(comment(key, attributes))
    return tuple(statements)


def drop(key: Key, attributes: Attributes) -> str:
    """The statement that drops the object, and nothing that needs it."""
    if key.kind == "constraint":
        table = quoted(attributes["table"])
        return f"ALTER TABLE {table} DROP CONSTRAINT {quoted(attributes['name'])}"
    return f"DROP {described(key, attributes)}"


def comment(key: Key, attributes: Attributes) -> str:
    """The statement that gives the object its comment, or takes it away."""
    return f"COMMENT ON {described(key, attributes)} IS {literal(attributes.get('comment'))}"


def enable_trigger(attributes: Attributes) -> str:
    """The statement that makes a trigger fire when it should."""
    word = TRIGGER_STATES.get(str(attributes["enabled"]), "ENABLE")
    return f"ALTER TABLE {quoted(attributes['table'])} {word} TRIGGER {quoted(attributes['name'])}"


def validate(attributes: Attributes) -> str:
    """The statement that checks the rows that a constraint was not checked against."""
    table, name = quoted(attributes["table"]), quoted(attributes["name"])
    return f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"


def described(key: Key, attributes: Attributes) -> str:
    """What the object is and its name, as DROP and COMMENT want it."""
    if key.kind in NAMED_IN_SQL:
        return f"{key.kind.upper()} {key.name}"
    name = quoted(attributes["name"])
    if key.kind == "column":
        return f"COLUMN {quoted(attributes['table'])}.{name}"
    if key.kind in ("function", "procedure", "aggregate"):
        name += key.name[key.name.index("(", len(str(attributes["name"]))) :]
    kind = {"enum": "TYPE", "partition": "TABLE"}.get(key.kind, key.kind.upper())
    return f"{kind} {name}" + (f" ON {quoted(attributes['table'])}" if key.kind in OF_TABLE else "")


def _constraint(name: str, attributes: Attributes) -> str:
    return (
        f"ALTER TABLE {quoted(attributes['table'])} ADD CONSTRAINT {name} "
        f"{attributes['definition']}{'' if attributes['validated'] else ' NOT VALID'}"
    )


def _domain(name: str, attributes: Attributes) -> str:
    checks = attributes["checks"] or ()
    assert isinstance(checks, tuple)
    return " ".join(
        (
            f"CREATE DOMAIN {name} AS {attributes['type']}",
            *([f"COLLATE {attributes['collation']}"] if attributes["collation"] else []),
            *([f"DEFAULT {attributes['default']}"] if attributes["default"] else []),
            *(["NOT NULL"] if attributes["not null"] else []),
            *(f"CONSTRAINT {check}" for check in checks),
        )
    )


def _enum(name: str, attributes: Attributes) -> str:
    return f"CREATE TYPE {name} AS ENUM ({', '.join(_literals(attributes['labels']))})"


def _view(name: str, attributes: Attributes) -> str:
    options = attributes["options"]
    given = f" WITH ({', '.join(options)})" if isinstance(options, tuple) else ""
    return f"VIEW {name}{given} AS\n{attributes['definition']}"


def _routine(name: str, attributes: Attributes) -> str:
    return str(attributes["definition"]).replace("CREATE OR REPLACE", "CREATE", 1).rstrip()


def _as_defined(name: str, attributes: Attributes) -> str:
    return str(attributes["definition"]).rstrip(";")


def _literals(values: Value) -> Iterator[str]:
    return (literal(value) for value in (values if isinstance(values, tuple) else ()))


_CREATE: dict[str, Callable[[str, Attributes], str]] = {
    "constraint": _constraint,
    "index": _as_defined,
    "sequence": lambda name, attributes: f"CREATE SEQUENCE {name} {attributes['definition']}",
    "enum": _enum,
    "domain": _domain,
    "type": lambda name, attributes: f"CREATE TYPE {name} AS {attributes['definition']}",
    "view": lambda name, attributes: f"CREATE {_view(name, attributes)}",
    "materialized view": lambda name, attributes: f"CREATE MATERIALIZED {_view(name, attributes)}",
    "function": _routine,
    "procedure": _routine,
    "aggregate": lambda name, attributes: (
        f"CREATE AGGREGATE {name}({attributes['arguments']}) {attributes['definition']}"
    ),
    "trigger": _as_defined,
    "rule": _as_defined,
    "policy": lambda name, attributes: (
        f"CREATE POLICY {name} ON {quoted(attributes['table'])} AS {attributes['definition']}"
    ),
    "statistics": _as_defined,
    "extension": lambda name, attributes: f"CREATE EXTENSION {name}",
    "collation": lambda name, attributes: f"CREATE COLLATION {name} {attributes['definition']}",
    "event trigger": lambda name, attributes: (
        f"CREATE EVENT TRIGGER {name} {attributes['definition']}"
    ),
}
