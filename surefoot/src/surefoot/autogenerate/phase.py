"""The phase of a revision: `contract` where the release that runs could fail on it.

Something that it may read is gone, something that it may write is no longer taken, or a null comes
where it never read one. In doubt it is `contract`: that asks a person to look, `expand` asks
nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.changes import ROUTINES, VIEWS
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.facts import Fact
from surefoot.autogenerate.retyping import is_widening
from surefoot.catalog import Key
from surefoot.catalog.kinds import Column, Constraint, Index, Table

# Nobody fails because one of these is gone, or because they are in the way of fewer rows.
_MAY_GO = ("statistics", "sequence", "policy", "rule")
# What rows have to keep to from then on.
_BINDS = ("make", "promise", "build")
_MAY_COME = ("table", "index", "sequence", "enum", "domain", "type", "statistics", "trigger")


def phase(facts: Iterable[Fact], comparison: Comparison) -> str:
    """`expand` or `contract`."""
    return "contract" if any(_narrows(fact, comparison) for fact in facts) else "expand"


def _narrows(fact: Fact, comparison: Comparison) -> bool:
    if fact.table in comparison.new_tables:
        return False
    if fact.key.kind == "column":
        return _column_narrows(fact)
    if fact.key.kind in ("constraint", "index"):
        return _key_narrows(fact, comparison)
    if fact.word == "make":
        if fact.before is not None and fact.key.kind in (*VIEWS, *ROUTINES):
            return True
        return fact.key.kind not in (*_MAY_COME, *VIEWS, *ROUTINES)
    if fact.word == "drop":
        return fact.key.kind not in _MAY_GO
    if fact.key.kind == "domain":
        known = fact.before is not None and fact.word in ("change", "promise")
        return known or fact.word == "required"
    if fact.word == "change":
        return isinstance(fact.after, Table) and fact.after.row_security is not None
    return fact.word in ("rename", "replace") and fact.key.kind not in _MAY_GO


def _column_narrows(fact: Fact) -> bool:
    before = fact.before if isinstance(fact.before, Column) else None
    after = fact.after if isinstance(fact.after, Column) else None
    if fact.word == "make":
        return after is not None and after.not_null and not after.has_own_value
    if fact.word == "retype":
        return before is None or after is None or not is_widening(before.type, after.type)
    if fact.word == "default":
        return after is None or (after.default is None and after.identity is None)
    if fact.word == "identity":
        return after is None or (after.identity or "ALWAYS").startswith("ALWAYS")
    return fact.word in (
        "drop", "not null", "nullable", "promised", "remake", "exchanged", "rename",
    )  # fmt: skip


def _key_narrows(fact: Fact, comparison: Comparison) -> bool:
    item = fact.after or fact.before
    unique = isinstance(item, Index) and item.unique
    kind = item.type if isinstance(item, Constraint) else None
    if fact.word in ("drop", "unbuild"):
        # ON CONFLICT needs the key that it names.
        return unique or kind in ("unique", "primary key", "exclusion")
    if fact.word == "attach":
        return fact.before is not None
    if fact.word not in _BINDS or (fact.key.kind == "index" and not unique):
        return False
    columns = {key for key in comparison.models.uses.get(fact.key, ()) if key.kind == "column"}
    if isinstance(fact.after, Constraint) and (
        referring := object_operations.referring_columns(fact.after)
    ):
        columns = {Key("column", f"{fact.table}.{name}") for name in referring}
    # The release that runs writes nothing into columns that it does not know.
    return not columns or bool(columns & set(comparison.database.objects))
