"""An index or a key of another definition under its name: built beside the former, then exchanged.

Dropped first, it would be missing until it is built: a plan without an index, and rows that nothing
keeps apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from copy import copy

from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate import wording
from surefoot.autogenerate.comparison import Comparison, beside
from surefoot.autogenerate.definitions import KeyIndex, index_of, key_index_of
from surefoot.autogenerate.parts import Part, Turn
from surefoot.autogenerate.spelling import BuildIndex, UnbuildIndex
from surefoot.autogenerate.steps import Stage, Step, sql
from surefoot.catalog import Key
from surefoot.catalog.statements import quoted
from surefoot.operations.constraints import PrimaryKeyUsingIndex, UniqueUsingIndex

_LONGEST_NAME = 63


def exchanged_index(key: Key, made: ops.CreateIndexOp, comparison: Comparison) -> Iterator[Part]:
    """The new index beside the old, the old away, the new under the old one's name."""
    former = index_of(comparison.database.objects[key])
    assert former is not None
    name, there = key.name, beside(key.name)
    table = str(made.table_name)
    build = Step(
        Stage.CREATE, [BuildIndex(named(made, there))], [UnbuildIndex(there)], "build", key
    )
    about = f"It takes the place of {name}, which is used until then."
    yield Part(build, Turn.INDEX, name, f"Build {there} on {table}", about)
    away = Step(Stage.CREATE, [UnbuildIndex(name)], [BuildIndex(former)], "unbuild", key)
    yield Part(away, Turn.EXCHANGE, name, f"Drop the former {name}")
    do, undo = (
        sql(f"ALTER INDEX {quoted(old)} RENAME TO {quoted(new)}")
        for old, new in ((there, name), (name, there))
    )
    rename = Step(Stage.CREATE, [do], [undo], "rename", key)
    yield Part(rename, Turn.KEYS, "", f"Call {there} {name}")


def exchanged_key(key: Key, found: KeyIndex, comparison: Comparison) -> Iterator[Part]:
    """The new key's index beside the old key, then one for the other in one transaction."""
    before, after = comparison.database.objects[key], comparison.models.objects[key]
    name, table = str(after["name"]), str(after["table"])
    there = beside(name)
    index = named(found.index, there)
    build = Step(Stage.CREATE, [BuildIndex(index)], [UnbuildIndex(there)], "build", key)
    about = f"{name} keeps the rows apart until it is made of this index."
    yield Part(build, Turn.INDEX, name, f"Build the index of the new {name}", about)
    kind = PrimaryKeyUsingIndex if found.is_primary else UniqueUsingIndex
    using = kind(conv(name), table, there, deferrable=found.deferrable, initially=found.initially)
    attach = Step(
        Stage.CREATE,
        [*wording.drop(key, before), using, *wording.create(key, after)[1:]],
        [*wording.drop(key, after), index, *wording.create(key, before)],
        "attach",
        key,
    )
    yield Part(attach, Turn.KEYS, table, f"Make {name} of its new index")


def is_exchanged(key: Key, comparison: Comparison, moved: Collection[Key]) -> bool:
    """Whether both may be there at once: nothing that either stands on goes or changes."""
    before, after = comparison.database.objects.get(key), comparison.models.objects.get(key)
    if before is None or after is None or before["table"] != after["table"]:
        return False
    of = index_of if key.kind == "index" else key_index_of
    uses = comparison.database.uses.get(key, frozenset())
    return (
        comparison.is_in_use(str(after["table"]))
        and before["definition"] != after["definition"]
        and of(before) is not None
        and not (before["comment"] or after["comment"])
        and before.get("type") == after.get("type")
        and not comparison.database.users_of(key)
        and not uses & set(moved)
        and all(each in comparison.models.objects for each in uses)
        and (after.get("type") != "primary key" or _stay_required(uses, comparison))
        and len(beside(str(after["name"])).encode()) <= _LONGEST_NAME
    )


def _stay_required(columns: Collection[Key], comparison: Comparison) -> bool:
    """Whether no column of a primary key is to take nulls, for which the key has to go first."""
    return all(comparison.models.objects[each].get("not null", True) for each in columns)


def named(index: ops.CreateIndexOp, name: str) -> ops.CreateIndexOp:
    """The same index under another name."""
    other = copy(index)
    other.index_name = conv(name)
    return other
