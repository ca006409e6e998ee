"""The backfill that a planned revision requires: a file beside the revisions.

a column to fill -> Draft, on the changes that add it and need it -> Placed: its name, and the
revision after which it runs -> the file
"""

import itertools
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from surefoot.autogenerate.change import Change, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.drafts import Draft
from surefoot.autogenerate.revision_text import RevisionTexts
from surefoot.catalog import Catalog
from surefoot.catalog.definitions import names as names_in
from surefoot.catalog.definitions import parse_key
from surefoot.catalog.kinds import Column, Constraint
from surefoot.chain.backfills import backfill_paths
from surefoot.chain.whole_file import write_whole
from surefoot.errors.names import program
from surefoot.frozen import dataclass
from surefoot.quoting import quoted

# So much of a name leaves room for a number.
_LONGEST = 58
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
_FILE = '''\
"""{title}"""

from typing import ClassVar

from surefoot import Backfill


class {class_}(Backfill):
    after = {after}
    table = {table}{key}
    todo = {todo}
    sets: ClassVar = {{{sets}}}
'''


@dataclass(frozen=True)
class Placed:
    """A draft with the name of its file, and the revision after which it runs."""

    draft: Draft
    name: str
    after: str
    # The columns to walk the table by; none for its primary key.
    key: Sequence[str] = ()

    def code(self) -> str:
        """The file."""
        draft = self.draft
        sets = (
            f"{_spelled(draft.column)}: {'...' if draft.value is None else _spelled(draft.value)}"
        )
        if draft.hint:
            comments = "".join(f"        # {line}\n" for line in draft.hint)
            sets = f"\n{comments}        {sets},\n    "
        return _FILE.format(
            title=RevisionTexts.title(f"Fill {draft.label} in the existing rows"),
            class_="".join(word.capitalize() for word in self.name.split("_")),
            after=_spelled(self.after),
            table=_spelled(quoted(draft.table)),
            key=f"\n    key: ClassVar = {_spelled([*self.key])}" if self.key else "",
            todo=_spelled(draft.todo),
            sets=sets,
        )


def placed(
    revisions: Sequence[tuple[str, Sequence[Change]]],
    comparison: Comparison,
    before: str | None,
    lock: Path | None,
) -> Mapping[Draft, Placed]:
    """The backfills of the planned revisions; `before` is the revision before all of them.

    One needs a revisions.lock to be written beside, a key to walk the table by, and a revision
    after which it runs: its names are those after the renames. A value that a person writes may use
    the columns, indexes and keys that come before the revision that needs it. A key of the table
    that comes may be the one that it walks by.
    """
    if lock is None:
        return {}
    found: dict[Draft, Placed] = {}
    last, begun = before, set[Draft]()
    names = {path.stem for path in backfill_paths(lock)}
    every = (each for _, changes in revisions for each in changes)
    keyed = {comparison.table_of(each.key) for each in every if each.action == "attach"}
    for revision, changes in revisions:
        if any(each.turn is Turn.RENAME for each in changes):
            before = revision
        for draft, action in ((draft, each.action) for each in changes for draft in each.fills):
            waits = draft.value is None or draft.table in keyed
            after = revision if action == "begin" else last if waits else before
            key = _walked_by(draft.table, comparison)
            if draft in begun and action != "begin" and after:
                begun.remove(draft)
                found[draft] = replace(found[draft], after=after)
            elif draft not in found and after and key is not None:
                found[draft] = Placed(draft, _free(draft, names), after, key)
                names.add(found[draft].name)
                begun |= {draft} if waits and action == "begin" else set()
        if any(each.turn <= Turn.KEYS or each.action == "begin" for each in changes):
            last = revision
    late = {draft: replace(found[draft], after=last or found[draft].after) for draft in begun}
    return found | late


def told(changes: Sequence[Change], found: Mapping[Draft, Placed]) -> Iterator[str]:
    """The sentences about the rows to be filled, for one revision."""
    for draft in _drafts(changes):
        if (placed := found.get(draft)) is None:
            where = f"{draft.label} in the existing rows"
            yield f"Fill {where}, in batches and outside of a revision."
        else:
            run = f"{program()} backfill run {placed.name} --execute"
            yield f"The backfill {placed.name} fills {draft.label} in the existing rows: `{run}`."


def needed(changes: Sequence[Change], found: Mapping[Draft, Placed]) -> tuple[str, ...]:
    """The names of the backfills that have to be complete before one revision."""
    ready = [change for change in changes if change.action != "begin"]
    return tuple(found[draft].name for draft in _drafts(ready) if draft in found)


def write(found: Iterable[Placed], lock: Path) -> Iterator[str]:
    """Write the files beside revisions.lock; the questions that they leave."""
    folder = lock.with_name("backfills")
    for each in found:
        folder.mkdir(exist_ok=True)
        write_whole(folder / f"{each.name}.py", each.code().encode())
        name, label = f"{folder.name}/{each.name}.py", each.draft.label
        sys.stderr.write(f"OK  {name} written, which fills {label}\n")
        if each.draft.value is None:
            yield f"the value of {label} in the existing rows is yours to write in {name}"


def _drafts(changes: Iterable[Change]) -> Iterable[Draft]:
    return dict.fromkeys(draft for change in changes for draft in change.fills)


def _walked_by(table: str, comparison: Comparison) -> Sequence[str] | None:
    """The columns of a key that is there before and after the revisions; None without one.

    None are named where that is the primary key, and stays.
    """
    before, after = (_keys(side, table) for side in (comparison.database, comparison.models))
    kept = [columns for columns in before if columns in after]
    primary = next((columns for columns in kept if before[columns] and after[columns]), None)
    return () if primary else kept[0] if kept else None


def _keys(catalog: Catalog, table: str) -> Mapping[Sequence[str], bool]:
    """The columns of each key without nulls, and whether it is the primary one."""
    columns = catalog.of_table(Column, table)
    found: dict[Sequence[str], bool] = {}
    for each in catalog.of_table(Constraint, table).values():
        if key := parse_key(each.definition):
            named = tuple(names_in(key.columns))
            if key.is_primary or all(columns[name].not_null for name in named):
                found[named] = found.get(named, False) or key.is_primary
    return found


def _free(draft: Draft, taken: Collection[str]) -> str:
    """A name for the file that is not taken."""
    words = _NOT_IN_NAME.sub("_", draft.label.lower()).strip("_")
    words = words if words[:1].isalpha() else f"column_{words}"
    name = words[:_LONGEST].rstrip("_")
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if each not in taken)


def _spelled(value: str | list[str]) -> str:
    """A text, or a list of texts, as Python writes it."""
    return json.dumps(value, ensure_ascii=False)
