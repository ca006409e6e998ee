"""watch() looks about once a second while a backfill runs, in a session of its own.

It learns whether somebody has paused the backfill or changed a parameter, and what the backfill
should give way to; it keeps how far it is in the database, for those who look from elsewhere.
"""

from __future__ import annotations

import asyncio
import time

from surefoot.backfill.events import Unseen, Walked
from surefoot.backfill.failures import meaning
from surefoot.backfill.job import AGAIN_S, LOST_S, Job, closed
from surefoot.backfill.speed import Speed
from surefoot.backfill.state import PAUSED, Progress, State
from surefoot.backfill.throttle import Lookout
from surefoot.backfill.vacuum import Vacuum
from surefoot.connect.failures import describe
from surefoot.project import Project
from surefoot.wording import duration

WATCH_S = 1.0
# Meanwhile it looks so often for dead rows: a million may be written in some seconds.
_VACUUM_LOOKS = 10


async def watch(job: Job, project: Project) -> None:
    """Look until the caller cancels it, or the backfill was cancelled.

    On failure: errors of the connection, where it is lost for longer than a run waits.
    """
    lost_s: float | None = None
    name, speed = job.backfill.name, Speed()
    lookout = Lookout(job.statements.key.quoted, job.database.limits.throttle)
    vacuum = Vacuum(job)
    while True:
        try:
            connection = await job.connect()
            try:
                state = State(connection, project.version_table, name)
                await state.ranges.attend()
                while True:
                    progress = await state.read()
                    lost_s = None
                    if progress is None:
                        return job.stop()
                    job.learn(progress.parameters)
                    look = await lookout.look(connection)
                    for what in look.untold:
                        job.listen(Unseen(name, what))
                    paused = progress.state == PAUSED
                    job.hold(f"{progress.reason} has paused it" if paused else look.reason)
                    walked = _walked(job, progress, speed)
                    await state.note(walked.held, walked.rows_per_s, walked.left_s)
                    job.listen(walked)
                    for _ in range(_VACUUM_LOOKS):
                        await vacuum.look(connection, may_begin=job.held is None)
                        await asyncio.sleep(WATCH_S / _VACUUM_LOOKS)
            finally:
                await vacuum.end()
                await closed(connection)
        except Exception as error:  # noqa: PERF203 - once a session
            if (what := meaning(error)) not in ("lost", "again"):
                raise
            if what == "lost":
                if lost_s is None:
                    within = duration(LOST_S)
                    job.hold(f"{describe(error)}; it tries to connect for {within} at most")
                lost_s = lost_s or time.monotonic()
                if time.monotonic() - lost_s > LOST_S:
                    raise
            await asyncio.sleep(AGAIN_S)


def _walked(job: Job, progress: Progress, speed: Speed) -> Walked:
    lap, changed, walked = progress.lap, progress.changed, progress.walked
    total = round(max(job.statements.key.rows, walked))
    speeds = speed.look(time.monotonic(), lap, changed, walked, total)
    return Walked(
        job.backfill.name, lap, changed, walked, total, progress.failed, *speeds, held=job.held
    )
