"""Alembic's steps, seen by the recorder as each starts and as it is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from alembic.migration import MigrationContext
from alembic.runtime.migration import MigrationInfo, RevisionStep
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from surefoot.errors import DatabaseAhead
from surefoot.run.report import Planned, Recorder


def record_steps(
    migration: MigrationContext,
    script: ScriptDirectory,
    recorder: Recorder,
    *,
    on_plan: Callable[[Sequence[RevisionStep], Sequence[Planned]], None] | None = None,
    on_start: Callable[[Planned], None] | None = None,
    on_done: Callable[[], None] | None = None,
) -> None:
    """Let the recorder see what Alembic is going to run; whoever else asks sees it too.

    On failure, when it runs: DatabaseAhead, where the database names a revision without a file.
    """
    # Alembic has a callback after a step and none before the first or around a failure.
    plan_steps = migration._migrations_fn
    if plan_steps is None:
        return

    def steps(heads: tuple[str, ...], ctx: MigrationContext) -> Iterator[RevisionStep]:
        unknown = sorted(head for head in heads if not _known(script, head))
        if unknown:
            expected = ", ".join(script.get_heads()) or "base"
            raise DatabaseAhead(recorder.database, ", ".join(unknown), expected)
        planned: list[RevisionStep] = list(plan_steps(heads, ctx))
        plan = [_planned(step.info, step.doc) for step in planned]
        if on_plan is not None:
            on_plan(planned, plan)
        recorder.begin(tuple(heads), plan)
        for step, about in zip(planned, plan, strict=True):
            recorder.start(about)
            if on_start is not None:
                on_start(about)
            yield step
            recorder.done()
            if on_done is not None:
                on_done()

    migration._migrations_fn = steps


def _planned(info: MigrationInfo, doc: str | None) -> Planned:
    direction = "stamp" if info.is_stamp else "upgrade" if info.is_upgrade else "downgrade"
    named = info.destination_revision_ids if info.is_stamp else info.up_revision_ids
    return Planned(
        ", ".join(named) or "base",
        (doc or "").strip().rstrip("."),
        direction,
        info.source_revision_ids,
        info.destination_revision_ids,
    )


def _known(script: ScriptDirectory, revision: str) -> bool:
    try:
        return script.get_revision(revision) is not None
    except CommandError:
        return False
