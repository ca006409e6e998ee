"""Expand, fill and contract in one command: an upgrade that runs the backfills it needs."""

from collections.abc import Callable
from dataclasses import replace

from surefoot.cli import output
from surefoot.cli.backfill import run_to_end
from surefoot.errors import BackfillPending
from surefoot.run.report import Report


def upgrade_and_fill(
    upgrade: Callable[[str], Report], revision: str, *, json_: bool = False
) -> Report:
    """Upgrade to a revision; where that needs a backfill, run it and go on.

    On failure: as the upgrade and the backfill.
    """
    return _reach(upgrade, revision, set(), json_=json_)


def _reach(
    upgrade: Callable[[str], Report], revision: str, ran: set[str], *, json_: bool
) -> Report:
    try:
        return upgrade(revision)
    except BackfillPending as pending:
        # One that was run and still is not complete would not be so after another run.
        if pending.backfill in ran:
            raise
        ran.add(pending.backfill)
        first = None if pending.first is None else _reach(upgrade, pending.first, ran, json_=json_)
        output.narrate(f"FILL  {pending.backfill}, which {pending.revision} requires")
        run_to_end(pending.backfill, json_=json_)
        last = _reach(upgrade, pending.to or revision, ran, json_=json_)
    if first is None:
        return last
    took_s = first.duration_s + last.duration_s
    return replace(last, before=first.before, steps=first.steps + last.steps, duration_s=took_s)
