"""Completes a new revision file by its trace: `Locks:`, `Undo:` and the suppressions."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from surefoot.autogenerate.allowances import allowances
from surefoot.autogenerate.revision_text import RevisionTexts, unmeasured
from surefoot.chain.revisions import Revision
from surefoot.chain.whole_file import write_whole
from surefoot.linting.judging import Linted, judged
from surefoot.planning.estimate import worked_on
from surefoot.planning.statistics import Statistics
from surefoot.planning.undo import Undo, undos
from surefoot.rules.findings import TracedRevision, examine
from surefoot.rules.registry import RULES
from surefoot.trace.lock_modes import STRENGTH
from surefoot.trace.statement import Statement

_UPGRADE = re.compile(r"\n+(?=def upgrade\()")
_WORK = (", catalogue change only", " while rows are read", " while rows are rewritten")
# Locks of statements that read or write rows; no change of a catalog takes one.
_OF_ROWS = ("ROW SHARE", "ROW EXCLUSIVE")


def completed(written: Path, chain: Sequence[Revision], linted: Linted) -> Linted:
    """Write the measured locks, downgrade and suppressions of a revision into its file.

    A file whose revision did not run stays as it is.
    """
    number = next((n for n, unit in enumerate(linted.units) if unit.path == written), None)
    if number is None or linted.units[number].failure is not None:
        return linted
    unit, major = linted.units[number], linted.major
    assert major is not None  # a revision ran
    source = measured(unit, linted, chain, major)
    write_whole(written, source.encode())
    # All that was added is above the statements.
    added = source.count("\n") - unit.source.count("\n")
    moved = tuple(replace(each, line=each.line + added) for each in unit.statements)
    ran = frozenset(line + added for line in unit.executed or ())
    unit = replace(unit, source=source, statements=moved, executed=ran)
    others = (each for each in linted.findings if each.revision != unit.revision)
    units = (*linted.units[:number], unit, *linted.units[number + 1 :])
    return replace(linted, findings=(*others, *judged(unit, major)[0]), units=units)


def measured(unit: TracedRevision, linted: Linted, chain: Sequence[Revision], major: int) -> str:
    """The source of the revision with what its trace shows."""
    statements = linted.trace.back.statements if linted.trace.back else ()
    back = [each for each in statements if each.revision == unit.revision]
    traced = [each.revision for each in linted.units]
    pending = [each for each in chain if each.id in traced]
    undo = undos(pending, linted.trace, Statistics({}, None))[unit.revision]
    line, source = RevisionTexts.line, unit.source
    source = source.replace(
        line("Locks", unmeasured()), line("Locks", f"{_locks(unit.statements)}.")
    )
    source = source.replace(line("Undo", unmeasured()), line("Undo", _undo(undo, back, unit.path)))
    if source == unit.source:  # the planner did not write it
        return source
    comments = allowances(examine(unit, RULES.values(), major), source)
    apart = "\n".join(["\n", *comments, "\n\n"]) if comments else "\n\n\n"
    return _UPGRADE.sub(lambda _: apart, source, count=1)


def _locks(statements: Iterable[Statement]) -> str:
    """Each table with its strongest lock and the longest work under it."""
    strongest: dict[str, tuple[int, int]] = {}
    modes = list(STRENGTH)
    for each in statements:
        for table, mode in each.locks.items():
            if table not in each.tables and mode != "ACCESS SHARE":
                works = 2 if table in each.rewrites else int(table in worked_on(each))
                known = strongest.get(table, (0, 0))
                strongest[table] = (max(known[0], STRENGTH[mode]), max(known[1], works))
    grouped: dict[tuple[int, int], list[str]] = {}
    for table, how in sorted(strongest.items()):
        grouped.setdefault(how, []).append(table)
    found = (
        f"{modes[mode]} on {', '.join(tables)}"
        f"{_WORK[work] if work or modes[mode] not in _OF_ROWS else ''}"
        for (mode, work), tables in sorted(grouped.items(), reverse=True)
    )
    return "; ".join(found) or "none on a table in use"


def _undo(undo: Undo, back: Sequence[Statement], path: Path) -> str:
    if not undo.tried:
        return unmeasured()
    if undo.obstacle is not None:
        # This text and the comments move the lines of the file that it would name.
        here = re.compile(rf"^{re.escape(os.path.relpath(path))}:\d+: ")
        return f"fails on sample rows: {' '.join(here.sub('', undo.obstacle).split())}."
    lost = [f"drops {', '.join(undo.dropped)} with the data"] if undo.dropped else []
    lost += [f"does not restore {', '.join(undo.not_restored)}"] if undo.not_restored else []
    return f"{'; '.join([_locks(back), *lost])}."
