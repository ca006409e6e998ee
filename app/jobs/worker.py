"""A worker takes jobs one at a time and does them, in the process of the service.

While it works, it renews the lease of its job and records the progress every second. A job that was
cancelled, or that another worker took over, therefore ends here within a second. A cancelled worker
returns its job to the queue.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from sqlalchemy.ext.asyncio import AsyncEngine

from app.errors import JobImpossible
from app.jobs import queue
from app.jobs.queue import Lease
from app.jobs.scan import scan
from app.jobs.summarize import summarize
from app.jobs.work import Work
from app.settings import Settings
from surefoot.connect import DATABASE_ERRORS, describe, explain
from surefoot.errors import DatabaseFailed, SurefootError

logger = logging.getLogger(__name__)

Operations = Mapping[str, Callable[[Work], Awaitable[dict[str, Any]]]]
OPERATIONS: Operations = {"scan": scan, "summarize": summarize}
RENEW_EVERY_S = 1.0
PUT_BACK_TIMEOUT_S = 1.5


class Worker:
    """One worker; `name` is unique and marks its jobs."""

    def __init__(
        self, engine: AsyncEngine, settings: Settings, operations: Operations = OPERATIONS
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.operations = operations
        self.name = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"

    async def run(self) -> None:
        """Work until the task is cancelled; wait while the database is unavailable.

        The log has one line for the same failure, however long it lasts, and one for its end.
        """
        trouble = ""
        try:
            while True:
                before, trouble, busy, cause = trouble, "", False, None
                try:
                    busy = await self.work_once()
                except DATABASE_ERRORS as error:
                    trouble = f"the worker cannot use its queue: {describe(error)}"
                except Exception as error:
                    trouble = f"unexpected error in the worker; it continues: {error!r}"
                    cause = error
                if trouble != before:
                    logger.warning("%s", trouble or "the worker works again", exc_info=cause)
                if not busy:
                    await anyio.sleep(self.settings.worker_poll_s)
        finally:
            await self._put_back()

    async def work_once(self) -> bool:
        """Take a job and do it; False if there was none."""
        lease = await queue.take(
            self.engine,
            self.name,
            volumes=self.settings.volumes,
            operations=self.operations,
            lease_s=self.settings.worker_lease_s,
            max_attempts=self.settings.worker_max_attempts,
        )
        if lease is None:
            return False
        logger.info("job %d: %s of %s started", lease.job_id, lease.operation, _where(lease))
        if await self._attempt(Work(self.engine, self.settings, lease)):
            logger.info("job %d: ended", lease.job_id)
        else:
            logger.info("job %d: cancelled, or taken over by another worker", lease.job_id)
        return True

    async def _attempt(self, work: Work) -> bool:
        """Do the job while the worker holds it; False if it lost the job before the end."""
        summary: dict[str, Any] | None = None
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._hold, work, group.cancel_scope)
            try:
                summary = await self.operations[work.lease.operation](work)
            except Exception as error:
                failure = _innermost(error)
            group.cancel_scope.cancel()
        if summary is not None:
            return await queue.complete(self.engine, work.lease, summary, done=work.progress.done)
        return failure is not None and await self._fail(work, failure)

    async def _hold(self, work: Work, scope: anyio.CancelScope) -> None:
        """Renew the lease while the job runs; cancel the job if the lease is lost."""
        lease_s = self.settings.worker_lease_s
        renewed_s = time.monotonic()
        while True:
            await anyio.sleep(min(RENEW_EVERY_S, lease_s / 3))
            try:
                held = await queue.renew(
                    self.engine,
                    work.lease,
                    lease_s=lease_s,
                    done=work.progress.done,
                    total=work.progress.total,
                )
                renewed_s = time.monotonic()
            except DATABASE_ERRORS:
                # The database may return; but another worker may take a job whose lease expired.
                held = time.monotonic() - renewed_s < lease_s
            if not held:
                scope.cancel()
                return

    async def _put_back(self) -> None:
        """Return the worker's jobs to the queue, unless the database is unavailable."""
        try:
            with anyio.CancelScope(shield=True), anyio.fail_after(PUT_BACK_TIMEOUT_S):
                count = await queue.put_back(self.engine, self.name)
        except DATABASE_ERRORS as error:
            logger.warning("the worker cannot return its job to the queue: %s", describe(error))
        else:
            if count:
                logger.info("the worker stops and returns its job to the queue")

    async def _fail(self, work: Work, failure: Exception) -> bool:
        lease = work.lease
        known = failure if isinstance(failure, SurefootError) else explain(failure, self.engine.url)
        if isinstance(known, DatabaseFailed):
            known = None
        reason = str(known or f"{type(failure).__name__}: {describe(failure)}")
        logger.warning(
            "job %d: attempt %d failed: %s",
            lease.job_id,
            lease.attempt,
            reason,
            exc_info=failure if known is None else None,
        )
        return await queue.fail(
            self.engine,
            lease,
            reason,
            max_attempts=self.settings.worker_max_attempts,
            again=not isinstance(failure, JobImpossible),
        )


def _where(lease: Lease) -> str:
    return f"{lease.path} in volume {lease.volume}" if lease.path else f"volume {lease.volume}"


def _innermost(error: Exception) -> Exception:
    """The first error inside a task group's exception group."""
    inside = getattr(error, "exceptions", None)
    return _innermost(inside[0]) if inside else error
