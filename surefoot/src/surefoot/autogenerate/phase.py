"""The phase of a revision: `contract` where the running release could fail on it.

The revision drops an object that the release may read, refuses a row that it may write, or lets it
read null where it never did. In doubt the phase is `contract`, which a person has to review.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.columns import is_volatile
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.indexes import before_and_after, can_swap, columns_of_key, keys_of
from surefoot.autogenerate.naming import temporary_name
from surefoot.autogenerate.object_operations import joined
from surefoot.autogenerate.spreading import ROUTINES, VIEWS
from surefoot.autogenerate.swappable import is_in_step
from surefoot.catalog import Key, SchemaObject
from surefoot.catalog.definitions import is_name, names, parse_index
from surefoot.catalog.kinds import Column, Constraint, Index, Routine, Sequence, Table
from surefoot.catalog.widening import adds_values, is_widening
from surefoot.wording import either

_TYPE = re.compile(r"AS (\w+)")
_BOUND = re.compile(r"MAXVALUE (-?\d+)")
BEFORE = "Before this runs:"
# The running release is without an object that is dropped.
_USED = ("table", *VIEWS, *ROUTINES, "trigger")
_WITHOUT = {**dict.fromkeys(_USED, "does not use {}"), "column": "neither reads nor writes {}"}
# What may be false, and not null, where a column is null: a check takes null.
_SEES_NULL = re.compile(r"\b(?:IS|COALESCE|CASE|num_n\w+|concat\w*)\b", re.IGNORECASE)
# Actions after which a constraint holds for new rows.
_BINDS = ("make", "promise", "build")
# Actions on a column that an older release may not expect.
_FORBIDS = ("drop", "not null", "nullable", "promised", "remake", "swapped", "rename")


def phase(
    changes: Iterable[Change], comparison: Comparison, gone: Collection[Key]
) -> tuple[str, str]:
    """The phase, and of a contract what the running release has to do before.

    `gone` are the objects that earlier revisions of the plan drop.
    """
    # Of an object that is dropped and created again, the last one tells of both.
    demands = {
        each.key: _demand(each, comparison)
        for each in _unkept(changes)
        if _narrows(each, comparison)
        and not (each.action == "build" and _is_refused(each.key, comparison, gone))
    }
    named: dict[str, list[str]] = {}
    for demand, name in demands.values():
        named.setdefault(demand, []).append(name)
    told = " and ".join(each.format(either(names)) for each, names in named.items())
    return ("contract", f"{BEFORE} deploy a release that {told}.") if named else ("expand", "")


def dropped(changes: Iterable[Change], comparison: Comparison) -> Iterator[Key]:
    """The objects that the changes drop, also those that they exchange or that come back later."""
    for each in changes:
        again = each.action == "remake" and each.stage is Stage.DROP
        if again or each.action in ("drop", "unbuild"):
            yield each.key
        elif each.action == "attach" and can_swap(each.key, comparison):
            yield before_and_after(each.key, comparison)[0]


def _unkept(changes: Iterable[Change]) -> Iterator[Change]:
    """The changes without those of a constraint that is dropped and comes back as it was.

    One that comes back in a later revision counts as dropped: a release may rely on it.
    """
    found = [*changes]
    ends = {each.key: each for each in found}
    gone = {each.key for each in found if each.action == "remake" and each.stage is Stage.DROP}
    for each in found:
        if each.key.kind != "constraint" or each.key not in gone:
            yield each
        elif ends[each.key] is each and each.stage is Stage.DROP:
            yield Change(each.stage, each.ops, each.undo, "drop", each.key)


def _demand(change: Change, comparison: Comparison) -> tuple[str, str]:
    """The demand on the running release, and the name of the object that it is about."""
    action, key = change.action, change.key
    if action == "attach":
        key, becomes = before_and_after(key, comparison)
        action = action if key == becomes else "drop"
    name = key.name if key.kind == "column" else f"the {key.kind} {key.name}"
    if action in ("drop", "unbuild"):
        return _WITHOUT.get(key.kind, "does not need {}"), name
    before, after = (each and joined(each) for each in comparison.sides(key))
    if (
        action in _BINDS
        and key.kind in ("constraint", "index")
        and not (before and before == after)
    ):
        return "writes no row that {} refuses", name
    return "works before and after the change of {}", name


def _narrows(change: Change, comparison: Comparison) -> bool:
    action, key = change.action, change.key
    kind, (before, after) = key.kind, comparison.sides(key)
    if action in ("grant", "revoke"):
        return action == "revoke" and before is not None
    if kind == "statistics" or (comparison.table_of(key) or key.name) in comparison.new_tables:
        return False
    if kind == "column":
        return _column_narrows(action, key, comparison)
    if kind in ("constraint", "index"):
        return _key_narrows(action, key, comparison)
    if action == "make":
        # A rule and a policy change what the statements of the release do.
        return before is not None if kind in (*VIEWS, *ROUTINES) else kind in ("rule", "policy")
    if kind == "domain" and action != "drop":
        return action == "required" or (before is not None and action in ("change", "promise"))
    if action == "change" and isinstance(before, Table) and isinstance(after, Table):
        # A parent that is left has fewer rows.
        left = {*(before.inherits or ())} - {*(after.inherits or ())}
        return bool(left) or before.row_security != after.row_security
    if action == "change" and isinstance(before, Sequence) and isinstance(after, Sequence):
        return not only_widens(before.definition, after.definition)
    if action == "change" and isinstance(before, Routine) and isinstance(after, Routine):
        # More than the body changes: STRICT, the rights with which it runs, a setting.
        heads = {each.definition.partition("\nAS ")[0] for each in (before, after)}
        # Rows have been checked or indexed with the former body, or have its results.
        users = {each.kind for each in comparison.database.users_of(key)}
        return len(heads) > 1 or bool(users & {"constraint", "index", "column", "domain"})
    is_lost = action in ("drop", "rename", "replace")
    return is_lost or (action == "change" and kind == "trigger")


def only_widens(before: str, after: str) -> bool:
    """Whether a sequence gets a wider type or a higher bound, and changes in nothing else."""
    (old,), (new,) = (_TYPE.findall(each) for each in (before, after))
    (lower,), (higher,) = (map(int, _BOUND.findall(each)) for each in (before, after))
    rest = [_BOUND.sub("", _TYPE.sub("", each)) for each in (before, after)]
    return rest[0] == rest[1] and lower <= higher and (old == new or is_widening(old, new))


def _column_narrows(action: str, key: Key, comparison: Comparison) -> bool:
    old, new = comparison.followed.find(Column, key), comparison.models.find(Column, key)
    match action:
        case "make":
            return new is not None and new.not_null and not new.has_own_value
        case "retype" if old is not None and new is not None:
            bare = old.has_own_value and not new.has_own_value
            return bare or old.collation != new.collation or not is_widening(old.type, new.type)
        case "default":
            return new is None or not new.has_own_value
        case "change":
            return bool(old and old.generated and not (new and new.generated))
        case "identity":
            bare = old is not None and old.default is not None
            return bare or new is None or (new.identity or "ALWAYS").startswith("ALWAYS")
    if action == "promised":
        # A trigger writes the second column.
        beside = [each for each in comparison.diff.beside if is_in_step(comparison, each)]
        if key.name in [temporary_name(each.name) for each in beside]:
            return False
        # A release that does not know it leaves it to its default.
        return old is not None or new is None or new.default is None
    return action in _FORBIDS


def _key_narrows(action: str, key: Key, comparison: Comparison) -> bool:
    before, after = comparison.sides(key)
    pair = [each for each in (before, after) if isinstance(each, Constraint) and each.validated]
    if len(pair) == 2 and adds_values(*(each.definition for each in pair)):
        return False
    drops = action in ("drop", "unbuild")
    item = before if drops else after or before
    kind = item.type if isinstance(item, Constraint) else None
    refuses = kind is not None or (isinstance(item, Index) and item.unique)
    if action == "name":
        # ON CONFLICT ON CONSTRAINT may name it.
        return kind in ("unique", "primary key", "exclusion")
    if drops:
        # ON CONFLICT needs the key that it names; the release relies on what a check refuses.
        return refuses
    if action == "attach":
        return can_swap(key, comparison)
    if action == "build" and before == after:
        # On a second column: the first one has refused these rows already.
        return False
    if action not in _BINDS or not refuses:
        return False
    columns = {each for each in comparison.models.needs(key) if each.kind == "column"}
    if isinstance(after, Constraint):
        columns = {*joined(after)} or columns
    # The running release writes nothing to columns that it does not know.
    known = not columns or bool(columns & set(comparison.database.objects))
    return known or _refuses_unwritten(item, columns, comparison)


def _refuses_unwritten(
    item: SchemaObject | None, columns: Collection[Key], comparison: Comparison
) -> bool:
    """Whether a constraint or a unique index may refuse rows that leave all its columns out."""
    if isinstance(item, Constraint) and item.type == "check":
        return bool(_SEES_NULL.search(item.definition))
    found = [comparison.models.find(Column, each) for each in columns]
    if isinstance(item, Constraint) and item.type == "foreign key":
        # There may be no row with the default.
        return all(each and each.default for each in found)
    if isinstance(item, Constraint) and item.type not in ("unique", "primary key"):
        return False
    if isinstance(item, Constraint | Index) and "NULLS NOT DISTINCT" in item.definition:
        return True
    return all(each and each.default and not is_volatile(comparison, each) for each in found)


def _is_refused(key: Key, comparison: Comparison, gone: Collection[Key]) -> bool:
    """Whether a key that is there refuses all that a new one refuses."""
    models = comparison.models
    item = models.objects.get(key)
    if not isinstance(item, Constraint | Index) or "NULLS NOT DISTINCT" in item.definition:
        return False
    index = parse_index(item.definition) if isinstance(item, Index) else None
    # Expressions and a condition let a unique index refuse less.
    plain = (name for each in index.items if is_name(each) for name in names(each)) if index else ()
    columns = frozenset(plain) if index else columns_of_key(item)
    return not models.needs(key) & comparison.diff.retyped and any(
        columns_of_key(each) <= columns and other not in gone
        for other, each in keys_of(comparison.database, item.table).items()
        if not isinstance(each, Index) or each.valid
    )


def needs_its_column(key: Key, comparison: Comparison) -> bool:
    """Whether a release has to write a new column before a constraint is added."""
    columns = {each for each in comparison.models.needs(key) if each.kind == "column"}
    return bool(columns - set(comparison.database.objects)) and _key_narrows(
        "promise", key, comparison
    )
