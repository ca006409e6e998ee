"""refuse_unfilled() stops a run before a revision whose backfill is not complete.

On a scratch database, which has no rows but made ones, the backfill runs before the revision
instead. One whose value is not written yet does not: the revision is measured as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from surefoot.chain.created_tables import created_tables
from surefoot.chain.revisions import Revision
from surefoot.compat.sqlalchemy import await_only
from surefoot.connect.sender import own
from surefoot.errors import BackfillEdited, BackfillPending, BackfillRowsHidden, BackfillUnwritten
from surefoot.quoting import literal, own_name
from surefoot.run.report import PlannedRevision
from surefoot.run.run import Run

if TYPE_CHECKING:
    from surefoot.backfill.definition import Backfill


def refuse_unfilled(
    run: Run, revisions: Sequence[Revision], plan: Sequence[PlannedRevision]
) -> None:
    """Look at each backfill that a revision of the plan requires.

    It has to be complete, and no row may match its filter; an empty table needs none.
    On failure: BackfillPending, BackfillUnknown, BackfillInvalid, BackfillUnwritten,
    BackfillRowsHidden, BackfillEdited.
    """
    if run.command != "upgrade" or not run.measure:
        return
    planned = {about.revision for about in plan}
    needed = [
        (each.id, name)
        for each in revisions
        if each.id in planned
        for name in each.requires_backfill
    ]
    if not needed:
        return
    from surefoot.backfill.files import named  # noqa: PLC0415 - few revisions require one

    # All files are read before one is run: none may be left to write.
    backfills = [named(run.project, name) for _, name in needed]
    for (revision, name), backfill in zip(needed, backfills, strict=True):
        lacks = _lacks(run, backfill, revisions, plan)
        run.connection.rollback()
        if lacks:
            first = backfill.after if backfill.after in planned else None
            to = run.end if first else None
            raise BackfillPending(revision, name, lacks, first=first, to=to)


def fill_scratch(run: Run, revisions: Sequence[Revision], about: PlannedRevision) -> None:
    """Run the backfills that a revision requires, before it begins, on a scratch database."""
    if about.direction != "upgrade" or run.measure:
        return
    needed = (each.requires_backfill for each in revisions if each.id == about.revision)
    names = [*chain.from_iterable(needed)]
    if not names:
        return
    from surefoot.backfill.at_once import fill_at_once  # noqa: PLC0415 - as above
    from surefoot.backfill.files import named  # noqa: PLC0415 - as above

    connection: Any = run.connection.connection.driver_connection
    table = run.project.version_table
    with own():
        for name in names:
            with suppress(BackfillUnwritten):
                await_only(fill_at_once(connection, named(run.project, name), table))
            # Without this the statistics would count its rows for the revision.
            await_only(connection.execute("SELECT pg_stat_force_next_flush()"))


def _is_created(table: str, revisions: Sequence[Revision], planned: Collection[str]) -> bool:
    """Whether a planned revision creates the table, as far as its text shows."""
    name = table.rpartition(".")[2].strip('"')
    paths = (each.path for each in revisions if each.id in planned and each.path)
    return any(own_name(each) == name for path in paths for each in created_tables(path))


def _lacks(
    run: Run, backfill: Backfill, revisions: Sequence[Revision], plan: Sequence[PlannedRevision]
) -> str | None:
    """The reason why the backfill is not complete, or None."""
    from surefoot.backfill.state import COMPLETE  # noqa: PLC0415 - as above
    from surefoot.backfill.tables import with_tables  # noqa: PLC0415 - as above

    planned = {about.revision for about in plan}

    def ask(query: str) -> object:
        return run.connection.exec_driver_sql(query).scalar()

    if not ask(f"SELECT to_regclass({literal(backfill.table)}) IS NOT NULL"):
        # A run that creates the table leaves it without rows of a service; one that renames
        # another table does not.
        is_empty = plan[0].before == () or _is_created(backfill.table, revisions, planned)
        made = backfill.after in planned and is_empty
        return None if made else f"there is no table {backfill.table}"
    # What a policy hides would be taken for an empty table, or for rows that are done.
    if ask(f"SELECT row_security_active(CAST({literal(backfill.table)} AS text))"):
        raise BackfillRowsHidden(backfill.name, backfill.table)
    if not ask(f"SELECT EXISTS (SELECT FROM {backfill.table})"):  # noqa: S608 - as the project writes it
        return None
    if backfill.after in planned:
        return f"{backfill.table} has rows that it has not seen"
    table = run.project.version_table
    state: object = None
    code: object = None
    if ask(f"SELECT to_regclass({literal(table.backfills[0])}) IS NOT NULL"):
        query = f"FROM {{backfills}} WHERE name = {literal(backfill.name)}"
        state = ask(with_tables(f"SELECT state {query}", table))
        code = ask(with_tables(f"SELECT sha256 {query}", table))
    if state != COMPLETE:
        return "it has not run" if state is None else f"it is {state}, not complete"
    if ask(f"SELECT EXISTS (SELECT FROM {backfill.table} WHERE ({backfill.condition}))"):  # noqa: S608 - as above
        return f"rows of {backfill.table} match its filter again ({backfill.todo})"
    if code != backfill.sha256:
        # The next revision may drop that of which the values were made.
        raise BackfillEdited(backfill.name)
    return None
