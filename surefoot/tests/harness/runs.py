"""Runs of `alembic` for tests that do something to them, and chains of revisions to run.

chain = Chain(folder); chain.add("op.execute('CREATE TABLE t (id int)')")
run = await launcher.start(chain, "upgrade", "head", url=url)
await run.says("APPLY"); run.signal(signal.SIGTERM); result = await run.end()
"""

from __future__ import annotations

import asyncio
import shutil
import textwrap
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from harness.clock import within
from harness.forks import PATIENCE_S, Points, Result, forks
from harness.forks import Run as Process
from harness.server import SAMPLE
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions, with_past

__all__ = ["Chain", "Launcher", "Points", "Result", "Run", "one_applied"]


class Chain:
    """Revisions in a folder of their own, with the ini file and the env.py of a project."""

    project: ClassVar[Path] = SAMPLE

    def __init__(self, folder: Path, *, of_project: bool = False) -> None:
        """With `of_project` it begins with the revisions of the project."""
        self.folder = folder
        self.versions = folder / "alembic" / "versions"
        self.versions.mkdir(parents=True)
        shutil.copy(self.project / "alembic.ini", folder)
        for name in ("env.py", "script.py.mako"):
            shutil.copy(self.project / "alembic" / name, folder / "alembic")
        if of_project:
            for path in sorted((self.project / "alembic" / "versions").glob("*.py")):
                shutil.copy(path, self.versions)
            shutil.copy(self.project / "alembic" / "revisions.lock", folder / "alembic")
            backfills = self.project / "alembic" / "backfills"
            if backfills.is_dir():
                shutil.copytree(
                    backfills,
                    folder / "alembic" / "backfills",
                    ignore=shutil.ignore_patterns("__pycache__"),
                )
        else:
            self.lock()

    @property
    def ini(self) -> Path:
        return self.folder / "alembic.ini"

    @property
    def lock_path(self) -> Path:
        return self.folder / "alembic" / "revisions.lock"

    @property
    def ids(self) -> list[str]:
        """The revisions, oldest first."""
        return [revision.id for revision in read_revisions(self.versions)]

    def add(
        self,
        upgrade: str,
        downgrade: str = "pass",
        *,
        phase: str = "expand",
        requires_code: str | None = None,
        down: str | None = None,
        identifier: str | None = None,
        lock: bool = True,
    ) -> str:
        """Write a revision after the newest, with these bodies; its id."""
        ids = self.ids if identifier is None or down is None else []
        identifier = identifier or f"{len(ids) + 1:04}"
        down = down if down is not None else (ids[-1] if ids else None)
        needs = f"requires_code = {requires_code!r}\n" if requires_code else ""
        self.path(identifier).write_text(
            f'"""Change {identifier}."""\n\n'
            "import sqlalchemy as sa\nfrom alembic import op\n\n"
            f"revision = {identifier!r}\ndown_revision = {down or None!r}\n"
            f"phase = {phase!r}\n{needs}\n\n"
            f"def upgrade() -> None:\n{_indented(upgrade)}\n\n\n"
            f"def downgrade() -> None:\n{_indented(downgrade)}\n",
            "utf-8",
        )
        if lock:
            self.lock()
        return identifier

    def path(self, identifier: str) -> Path:
        """The file of a revision that `add` wrote."""
        return self.versions / f"{identifier}_change.py"

    def lock(self, *, baseline: Collection[str] = ()) -> None:
        """Do what `surefoot lock` does, without fingerprints."""
        write_lock(self.lock_path, with_past(read_revisions(self.versions), baseline))


class Run:
    """One `alembic` process, awaited."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid
        self.output = process.output
        self.log = process.log
        self.signal = process.signal

    @property
    def has_ended(self) -> bool:
        return self._process.has_ended

    @property
    def said(self) -> str:
        """Its narration so far."""
        return self._process.said

    async def says(self, text: str, *, timeout_s: float = 30.0, times: int = 1) -> None:
        """Wait until it has said that."""
        async with _patience(timeout_s, lambda: f"{text!r} was not said:\n{self.said}"):
            while self.said.count(text) < times:
                assert not self.has_ended, f"it ended with {self._process.wait()}"
                await asyncio.sleep(0.01)

    async def stops(self, *, timeout_s: float = 30.0) -> None:
        """Wait until SIGSTOP has stopped it, or until it has ended."""
        stat = Path(f"/proc/{self.pid}/stat")
        async with _patience(timeout_s, lambda: f"it has not stopped:\n{self.said}"):
            while not self.has_ended:
                with suppress(OSError):
                    if stat.read_text("utf-8").rpartition(") ")[2].startswith("T"):
                        return
                await asyncio.sleep(0.005)

    async def end(self, *, timeout_s: float = PATIENCE_S) -> Result:
        """Wait for its end."""
        async with _patience(timeout_s, lambda: f"it has not ended:\n{self.said}"):
            await asyncio.shield(asyncio.wrap_future(self._process.code))
        return self._process.wait()


class Launcher:
    """Starts `alembic` in a chain's folder."""

    async def start_many(
        self,
        chain: Chain,
        *arguments: str,
        count: int,
        url: str,
        env: Mapping[str, str] | None = None,
        points: Points | None = None,
        program: str = "alembic",
    ) -> Sequence[Run]:
        """`count` processes that begin at once."""
        processes = forks().start_many(
            program,
            *arguments,
            count=count,
            env={"DATABASE_URL": url, **(env or {})},
            cwd=chain.folder,
            points=points,
        )
        return [Run(process) for process in processes]

    async def start(self, chain: Chain, *arguments: str, url: str, **options: Any) -> Run:
        """One process."""
        (run,) = await self.start_many(chain, *arguments, count=1, url=url, **options)
        return run

    async def alembic(self, chain: Chain, *arguments: str, url: str, **options: Any) -> Result:
        """One process, to its end."""
        run = await self.start(chain, *arguments, url=url, **options)
        return await run.end()

    async def surefoot(self, chain: Chain, *arguments: str, url: str) -> Result:
        """One process of the library's command, to its end; it tries revisions on that server."""
        env = {"SUREFOOT_TEST_SCRATCH_URL": url}
        return await self.alembic(chain, *arguments, url=url, env=env, program="surefoot")


def one_applied(results: Sequence[Result], *, applied: int) -> None:
    """On failure: AssertionError, unless one applied all, the others nothing, and each said so."""
    codes = Counter(result.code for result in results)
    wrong = next((result.err for result in results if result.code != 0), "")
    assert codes == {0: len(results)}, wrong
    told = Counter(result.err.splitlines()[-1].partition(" in ")[0] for result in results)
    assert told.pop(f"OK  {applied} applied") == 1
    assert sum(told.values()) == len(results) - 1
    assert all("Nothing to do" in line for line in told), told


@asynccontextmanager
async def _patience(timeout_s: float, told: Any) -> AsyncIterator[None]:
    """On failure: AssertionError, with what `told` says, once the time is over."""
    task = asyncio.current_task()
    assert task is not None
    over = False

    def give_up() -> None:
        nonlocal over
        over = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(within(timeout_s), give_up)
    try:
        yield
    except asyncio.CancelledError:
        if not over:
            raise
        if hasattr(task, "uncancel"):
            task.uncancel()
        raise AssertionError(told()) from None
    finally:
        timer.cancel()


def _indented(body: str) -> str:
    return textwrap.indent(textwrap.dedent(body).strip(), "    ")
