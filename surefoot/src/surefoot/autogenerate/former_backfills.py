"""Backfills that know a table or a column by a name that it loses: they have to run before.

Where a revision requires one, no database comes to the rename without it. Another one would never
end on a database that has begun it: its table would be gone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress

from surefoot.autogenerate.change import Change
from surefoot.autogenerate.renames import Rename
from surefoot.backfill.definition import Backfill
from surefoot.backfill.files import read_backfill
from surefoot.catalog import Key
from surefoot.chain.backfills import backfill_paths
from surefoot.errors import SurefootError
from surefoot.project import Project
from surefoot.quoting import shown


def former_backfills(
    renames: Collection[Rename], project: Project | None
) -> Mapping[Key, Sequence[str]]:
    """The backfills that no revision requires, by the renamed table or column that they name."""
    if project is None or not renames:
        return {}
    required = {name for each in project.revisions() for name in each.requires_backfill}
    found: dict[Key, list[str]] = {}
    for path in backfill_paths(project.lock):
        if path.stem not in required:
            with suppress(SurefootError):  # one that is not written yet runs on no database
                backfill = read_backfill(path)
                for rename in renames:
                    if _names(backfill, rename):
                        found.setdefault(rename.key, []).append(path.stem)
    return found


def before(changes: Sequence[Change], found: Mapping[Key, Sequence[str]]) -> tuple[str, ...]:
    """The backfills that have to be complete before one revision."""
    # One that leaves a view under the former name covers it.
    renamed = (each.key for each in changes if each.action in ("rename", "cover"))
    return tuple(dict.fromkeys(name for key in renamed for name in found.get(key, ())))


def told(names: Sequence[str]) -> Iterator[str]:
    """The sentences about them."""
    for each in names:
        yield f"The backfill {each} knows the former name: it has to be complete before."


def _names(backfill: Backfill, rename: Rename) -> bool:
    table = backfill.table.replace('"', "")
    if rename.kind == "column":
        return table == shown(rename.table) and rename.old in backfill.columns
    if rename.kind == "table":
        return table == shown(rename.old)
    if rename.kind == "schema":
        bare = {rename.table} if rename.old == rename.home else set()
        return table in bare | {f"{rename.old}.{rename.table}"}
    return False
