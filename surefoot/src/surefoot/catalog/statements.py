"""The SQL that creates and drops an object, made from the catalog alone.

It restores a state that no model and no revision describes any more. Tables, columns and objects
that are known by name alone are not created here.
"""

from surefoot.catalog import alterations, kinds
from surefoot.catalog.kinds import SchemaObject
from surefoot.catalog.model import NAMED_IN_TABLE, Key
from surefoot.quoting import literal, quoted

TRIGGER_STATES = {"no": "DISABLE", "on replicas": "ENABLE REPLICA", "always": "ENABLE ALWAYS"}
# The name of these is an expression in SQL, with types or an access method.
NAMED_IN_SQL = tuple(kind for kind, of in kinds.KINDS.items() if of is kinds.NamedObject)


def create(key: Key, item: SchemaObject) -> tuple[str, ...]:
    """The statements that create the object, with its comment and its state."""
    statements = [_create(key, item)]
    match item:
        case kinds.Trigger() | kinds.EventTrigger() if item.enabled != "yes":
            statements.append(enable(item))
        case kinds.Rule() if item.firing:
            statements.append(enable(item))
        case kinds.Statistics() if item.target:
            statements.append(set_target(item))
    if isinstance(item, kinds.Sequence) and item.owned_by:
        statements.append(alterations.own(item))
    if isinstance(item, kinds.Partition):
        clauses = alterations.options(None, item.options)
        statements += [f"ALTER TABLE {quoted(item.name)} {clause}" for clause in clauses]
    if item.comment:
        statements.append(comment(key, item))
    return tuple(statements)


def drop(key: Key, item: SchemaObject) -> str:
    """The statement that drops the object, without CASCADE."""
    if isinstance(item, kinds.Constraint):
        return f"ALTER TABLE {quoted(item.table)} DROP CONSTRAINT {quoted(item.name)}"
    return f"DROP {described(key, item)}"


def comment(key: Key, item: SchemaObject) -> str:
    """The statement that sets the object's comment, or removes it."""
    return f"COMMENT ON {described(key, item)} IS {literal(item.comment)}"


def enable(item: kinds.Trigger | kinds.EventTrigger | kinds.Rule) -> str:
    """The statement that sets when a trigger, an event trigger or a rule fires."""
    state = item.firing if isinstance(item, kinds.Rule) else item.enabled
    word, name = TRIGGER_STATES.get(state or "", "ENABLE"), quoted(item.name)
    if isinstance(item, kinds.EventTrigger):
        return f"ALTER EVENT TRIGGER {name} {word}"
    kind = "RULE" if isinstance(item, kinds.Rule) else "TRIGGER"
    return f"ALTER TABLE {quoted(item.table)} {word} {kind} {name}"


def set_target(statistics: kinds.Statistics) -> str:
    """The statement that sets how much ANALYZE samples for extended statistics."""
    return f"ALTER STATISTICS {quoted(statistics.name)} SET STATISTICS {statistics.target or '-1'}"


def described(key: Key, item: SchemaObject) -> str:
    """The object's kind and name, as DROP and COMMENT write them."""
    if key.kind in NAMED_IN_SQL:
        return f"{key.kind.upper()} {key.name}"
    name = quoted(item.name)
    if isinstance(item, kinds.Column):
        return f"COLUMN {quoted(item.table)}.{name}"
    if isinstance(item, kinds.Routine):
        name += key.name[key.name.index("(", len(item.name)) :]
    kind = {"enum": "TYPE", "partition": "TABLE"}.get(key.kind, key.kind.upper())
    if key.kind in NAMED_IN_TABLE and isinstance(item, kinds.TableObject):
        return f"{kind} {name} ON {quoted(item.table)}"
    return f"{kind} {name}"


def _create(key: Key, item: SchemaObject) -> str:
    name = quoted(item.name)
    match item:
        case kinds.Partition():
            by = f" PARTITION BY {item.partition_key}" if item.partition_key else ""
            return f"CREATE TABLE {name} PARTITION OF {quoted(item.table)} {item.bound}{by}"
        case kinds.Constraint():
            return (
                f"ALTER TABLE {quoted(item.table)} ADD CONSTRAINT {name} {item.definition}"
                f"{'' if item.validated else ' NOT VALID'}"
            )
        case kinds.Index() | kinds.Trigger() | kinds.Rule() | kinds.Statistics():
            return item.definition.rstrip(";")
        case kinds.Enum():
            return f"CREATE TYPE {name} AS ENUM ({', '.join(map(literal, item.values))})"
        case kinds.Domain():
            return _domain(name, item)
        case kinds.Type():
            return f"CREATE TYPE {name} AS {item.definition}"
        case kinds.View():
            given = f" WITH ({', '.join(item.options)})" if item.options is not None else ""
            return f"CREATE {key.kind.upper()} {name}{given} AS\n{item.definition}"
        case kinds.Routine() if key.kind == "aggregate":
            return f"CREATE AGGREGATE {name}({item.arguments}) {item.definition}"
        case kinds.Routine():
            return item.definition.replace("CREATE OR REPLACE", "CREATE", 1).rstrip()
        case kinds.Policy():
            return f"CREATE POLICY {name} ON {quoted(item.table)} AS {item.definition}"
        case kinds.Sequence() | kinds.Collation() | kinds.EventTrigger():
            return f"CREATE {key.kind.upper()} {name} {item.definition}"
        case kinds.Extension():
            return f"CREATE EXTENSION {name}"
    raise KeyError(key)


def _domain(name: str, domain: kinds.Domain) -> str:
    words = [f"CREATE DOMAIN {name} AS {domain.type}"]
    words += [f"COLLATE {domain.collation}"] if domain.collation else []
    words += [f"DEFAULT {domain.default}"] if domain.default else []
    words += ["NOT NULL"] if domain.not_null else []
    return " ".join([*words, *(f"CONSTRAINT {check}" for check in domain.checks or ())])
