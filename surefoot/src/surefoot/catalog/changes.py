"""The statements that change one object in place, from one state to another."""

import re
from collections.abc import Iterator

from surefoot.catalog import alterations, kinds, statements
from surefoot.catalog.kinds import Attributes, SchemaObject
from surefoot.catalog.model import Key
from surefoot.quoting import literal, quoted

_DEFINE: Attributes = frozenset({"definition", "type", "validated"})
_NAMED = re.compile(r'("(?:[^"]|"")*"|\w+) (.*)', re.DOTALL)


def in_place(
    key: Key, before: SchemaObject, after: SchemaObject, names: Attributes
) -> list[str] | None:
    """The statements that change these attributes; None where the object is created again."""
    name = quoted(after.name)
    match before, after:
        case kinds.Table(), kinds.Table():
            return alterations.table(before, after)
        case kinds.Constraint(), kinds.Constraint() if not names & _DEFINE:
            clauses = alterations.options(before.index_options, after.index_options)
            enforced = _enforcement(before, after)
            return [*enforced, *(f"ALTER INDEX {name} {clause}" for clause in clauses)]
        case kinds.Index(), kinds.Index() if names <= {"statistics", "valid"}:
            return _index_statistics(before, after)
        case kinds.Partition(), kinds.Partition():
            moved = [detach(before), attach(after)] if names & {"bound", "table"} else []
            clauses = alterations.options(before.options, after.options)
            return [*moved, *(f"ALTER TABLE {name} {clause}" for clause in clauses)]
        case kinds.Sequence(), kinds.Sequence():
            defined = alterations.sequence(before, after) if "definition" in names else []
            return [*defined, *([alterations.own(after)] if "owned by" in names else [])]
        case kinds.Domain(), kinds.Domain() if names <= {"default", "not null", "checks"}:
            return alterations.domain(before, after)
        case kinds.View(), kinds.View():
            return _view(key, before, after, names)
        case _, kinds.Routine() if names <= {"definition", "language"}:
            return [after.definition.rstrip()]
        case _, kinds.Trigger() | kinds.EventTrigger() if names == {"enabled"}:
            return [statements.enable(after)]
        case _, kinds.Rule() if names == {"firing"}:
            return [statements.enable(after)]
        case _, kinds.Statistics() if names == {"target"}:
            return [statements.set_target(after)]
    return None


def _enforcement(before: kinds.Constraint, after: kinds.Constraint) -> Iterator[str]:
    """Switch the triggers of a constraint; those of users that do not fire come afterwards."""
    for word, constraint in ("ENABLE", before), ("DISABLE", after):
        for each in constraint.enforcement or ():
            yield f"ALTER TABLE {each.removeprefix('off on ')} {word} TRIGGER ALL"


def _index_statistics(before: kinds.Index, after: kinds.Index) -> list[str]:
    old, new = (dict(e.split() for e in each.statistics or ()) for each in (before, after))
    return [
        f"ALTER INDEX {quoted(after.name)} ALTER COLUMN {column} SET STATISTICS {target}"
        for column in sorted({*old, *new})
        if (target := new.get(column, "-1")) != old.get(column, "-1")
    ]


def attach(partition: kinds.Partition) -> str:
    """The statement that makes a table a partition."""
    name = quoted(partition.name)
    return f"ALTER TABLE {quoted(partition.table)} ATTACH PARTITION {name} {partition.bound}"


def detach(partition: kinds.Partition) -> str:
    """The statement that makes a partition a table."""
    return f"ALTER TABLE {quoted(partition.table)} DETACH PARTITION {quoted(partition.name)}"


def _view(key: Key, before: kinds.View, after: kinds.View, names: Attributes) -> list[str] | None:
    if names & {"definition", "columns"}:
        old, new = before.columns or (), after.columns or ()
        if key.kind == "materialized view" or new[: len(old)] != old:
            return None
        made = statements.create(key, after)[0]
        sql = [made.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1)]
    else:
        clauses = alterations.options(before.options, after.options)
        sql = [f"ALTER {statements.described(key, after)} {clause}" for clause in clauses]
    return [*sql, *_column_comments(before, after)]


def _column_comments(before: kinds.View, after: kinds.View) -> Iterator[str]:
    old, new = (_by_name(each) for each in (before, after))
    for name in sorted({*old, *new}):
        if old.get(name) != (text := new.get(name)):
            yield f"COMMENT ON COLUMN {quoted(after.name)}.{name} IS {literal(text)}"


def _by_name(view: kinds.View) -> dict[str, str]:
    found = (_NAMED.fullmatch(each) for each in view.column_comments or ())
    return {match[1]: match[2] for match in found if match is not None}
