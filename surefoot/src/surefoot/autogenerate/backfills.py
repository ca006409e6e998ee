"""The backfill that a planned revision requires: a file beside the revisions.

a column to fill -> Draft, on the changes that add it and need it -> Placed: its name, and the
revision after which it runs -> the file
"""

import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from surefoot.autogenerate.change import Change, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.drafts import Draft
from surefoot.autogenerate.revision_text import RevisionTexts
from surefoot.catalog.kinds import Constraint
from surefoot.chain.backfills import backfill_paths
from surefoot.chain.whole_file import write_whole
from surefoot.errors.names import command
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
    table = {table}
    todo = {todo}
    sets: ClassVar = {{{sets}}}
'''


@dataclass(frozen=True)
class Placed:
    """A draft with the name of its file, and the revision after which it runs."""

    draft: Draft
    name: str
    after: str

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

    One needs a revisions.lock to be written beside, a primary key to walk the table by, and a
    revision after which it runs: its names are those after the renames.
    """
    if lock is None:
        return {}
    found: dict[Draft, Placed] = {}
    names = {path.stem for path in backfill_paths(lock)}
    for revision, changes in revisions:
        if any(each.turn is Turn.RENAME for each in changes):
            before = revision
        for draft, action in ((draft, each.action) for each in changes for draft in each.fills):
            after = revision if action == "begin" else before
            if draft not in found and after and _can_be_walked(draft.table, comparison):
                found[draft] = Placed(draft, _free(draft, names), after)
                names.add(found[draft].name)
    return found


def told(changes: Sequence[Change], found: Mapping[Draft, Placed]) -> Iterator[str]:
    """The sentences about the rows to be filled, for one revision."""
    for draft in _drafts(changes):
        if (placed := found.get(draft)) is None:
            where = f"{draft.label} in the existing rows"
            yield f"Fill {where}, in batches and outside of a revision."
        else:
            run = f"{command()} backfill run {placed.name} --execute"
            yield f"The backfill {placed.name} fills {draft.label} in the existing rows: `{run}`."


def needed(changes: Sequence[Change], found: Mapping[Draft, Placed]) -> str | tuple[str, ...]:
    """The names of the backfills that have to be complete before one revision."""
    ready = [change for change in changes if change.action != "begin"]
    names = tuple(found[draft].name for draft in _drafts(ready) if draft in found)
    return names[0] if len(names) == 1 else names


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


def _can_be_walked(table: str, comparison: Comparison) -> bool:
    constraints = comparison.database.of_table(Constraint, table).values()
    return any(each.type == "primary key" for each in constraints)


def _free(draft: Draft, taken: Collection[str]) -> str:
    """A name for the file that is not taken."""
    words = _NOT_IN_NAME.sub("_", draft.label.lower()).strip("_")
    words = words if words[:1].isalpha() else f"column_{words}"
    name, number = words[:_LONGEST].rstrip("_"), 2
    found = name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _spelled(text: str) -> str:
    """A text as Python writes it."""
    return json.dumps(text, ensure_ascii=False)
