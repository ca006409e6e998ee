"""Backfills that know a table or a column by a name that it loses: they have to run before.

Where a revision requires one, no database comes to the rename without it. Another one would never
end on a database that has begun it: its table would be gone.
"""

import re
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
from surefoot.quoting import own_name, schema_of, shown


def former_backfills(
    renames: Collection[Rename], project: Project | None
) -> Mapping[Key, Sequence[str]]:
    """The backfills that no revision requires, by the renamed table or column that they name."""
    if project is None or not renames:
        return {}
    required = {name for each in project.revisions() for name in each.requires_backfill}
    home = next(iter(project.schemas), "public")
    found: dict[Key, list[str]] = {}
    for path in backfill_paths(project.lock):
        if path.stem not in required:
            with suppress(SurefootError):  # one that is not written yet runs on no database
                backfill = read_backfill(path)
                for rename in renames:
                    if _names(backfill, rename, home):
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


def _names(backfill: Backfill, rename: Rename, home: str) -> bool:
    """Whether the SQL of a backfill knows the former name; `home` is the default schema."""
    table = backfill.table.replace('"', "")
    if rename.kind == "column":
        listed = rename.old in {*backfill.columns, *backfill.reads, *backfill.key}
        return table in _written(rename.table, home) and (listed or _uses(backfill, rename.old))
    if rename.kind == "table":
        return table in _written(rename.old, home) or _uses(backfill, own_name(rename.old))
    if rename.kind == "schema":
        bare = {rename.table} if rename.old == rename.home else set()
        return table in bare | {f"{rename.old}.{rename.table}"}
    return False


def _written(table: str, home: str) -> Collection[str]:
    """The names by which SQL reaches a table."""
    name = shown(table)
    return {name} if schema_of(table) else {name, f"{home}.{name}"}


def _uses(backfill: Backfill, name: str) -> bool:
    """Whether the name is a word of its SQL, in whatever place."""
    sql = " ".join((backfill.condition, backfill.statement, *backfill.sets.values()))
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", sql, re.IGNORECASE) is not None
