"""A rename in revisions: a table behind a view of its former name, a column at one moment."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.autogenerate import no_other_way
from surefoot.autogenerate.parts import Part, Turn
from surefoot.autogenerate.spelling import RenameColumn, RenameTable
from surefoot.autogenerate.steps import Stage, Step, sql
from surefoot.catalog import Key
from surefoot.quoting import quoted


def renamed(step: Step, rename: RenameColumn | RenameTable, *, covered: bool) -> Iterator[Part]:
    """A table that nothing else of changes is read and written under both names for a while.

    Where something else of it changes, a view of its columns would stand in the way.
    """
    if covered and isinstance(rename, RenameTable):
        yield from _covered(step, rename)
        return
    of = f"{rename.table}." if isinstance(rename, RenameColumn) else ""
    old, new = f"{of}{rename.old}", f"{of}{rename.new}"
    about = (
        f"Every release knows one of {old} and {new}: one that uses the former name fails from "
        "here on, and one that uses the new name until then. Before this runs: have the next "
        "release ready, and replace the one that runs at the same time. Without such a moment: "
        f"add {new} beside {old}, write both, fill the rows in batches, and drop {old} in a "
        "contract revision."
    )
    rule = "avoid-renaming-a-column" if of else "avoid-renaming"
    title = f"Rename {old} to {new}"
    yield Part(step, Turn.RENAME, "", title, about, no_other_way.told(rule))


def _covered(step: Step, rename: RenameTable) -> Iterator[Part]:
    old, new = quoted(rename.old), quoted(rename.new)
    make = sql(f"CREATE VIEW {old} AS SELECT * FROM {new}")  # noqa: S608 - names, quoted
    drop = sql(f"DROP VIEW {old}")
    key = Key("view", rename.old)
    about = f"The release that runs reads and writes {rename.new} by the view {rename.old}."
    step = Step(step.stage, step.ops, step.undo, "cover", step.key)
    yield Part(step, Turn.RENAME, "", f"Rename {rename.old} to {rename.new}", about)
    yield Part(Step(Stage.DROP, [make], [drop], "make", key), Turn.RENAME)
    about = f"Before this runs: deploy a release that knows {rename.new} alone."
    yield Part(
        Step(Stage.DROP, [drop], [make], "drop", key),
        Turn.CONTRACT, "", f"Drop the view {rename.old}", about,
    )  # fmt: skip
