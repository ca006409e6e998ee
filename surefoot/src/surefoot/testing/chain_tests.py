"""ChainTests is what is handed to the tests: the chain, the models, and what no catalog says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.chain.revisions import Revision, one_head, read_revisions
from surefoot.connect.limits import Limits
from surefoot.errors import RevisionsBroken, SurefootError, UsageError
from surefoot.target import Target


@dataclass(frozen=True)
class ChainTests:
    """A chain of revisions and the models that it leads to."""

    ini: Path
    metadata: MetaData
    # What a column holds where its type and its checks do not tell: {"jobs.kind": "'scan'"}, as SQL
    # in which n is the number of the row.
    values: Mapping[str, str] = field(default_factory=dict)
    # What happens between two revisions: {"0008": "UPDATE …"}, statements to run after that one.
    between: Mapping[str, str] = field(default_factory=dict)
    # Where the walks begin, in a long chain: what is older is applied in one go.
    since: str | None = None

    @cached_property
    def versions(self) -> Path:
        """The folder of the revisions."""
        return Path(ScriptDirectory.from_config(Config(self.ini)).versions)

    @property
    def lock(self) -> Path:
        """revisions.lock, beside them."""
        return self.versions.parent / "revisions.lock"

    def revisions(self) -> tuple[Revision, ...]:
        """The chain, in its order. On failure: RevisionsBroken."""
        return read_revisions(self.versions)

    def line(self) -> tuple[str | None, tuple[Revision, ...]]:
        """Where the walks begin, and the revisions that they try one by one.

        On failure: UsageError where `since` or `between` name what is no revision; RevisionsBroken.
        """
        revisions = self.revisions()
        ids = [revision.id for revision in revisions]
        for name in (*([self.since] if self.since else []), *self.between):
            if name not in ids:
                raise UsageError(
                    f"ChainTests names {name}, which is no revision of {self.versions}",
                    help="correct since=… or between=…",
                )
        tried = revisions[ids.index(self.since) if self.since else 0 :]
        return (tried[0].down[0] if tried and tried[0].down else None), tried

    def check(self) -> None:
        """On failure: RevisionsBroken where the chain has several heads, or branches on the way."""
        one_head(self.revisions())
        former, tried = self.line()
        for revision in tried:
            if revision.down != ((former,) if former else ()):
                raise RevisionsBroken(
                    f"{revision.file_name} does not build on {former} alone, and no run stops "
                    "between branches",
                    help="begin where they have met: ChainTests(since=…)",
                )
            former = revision.id

    def target(self, engine: AsyncEngine) -> Target:
        """A scratch database of the chain: nothing on it is worth a guard."""
        return Target.of(engine, self.ini, Limits())


@dataclass(frozen=True)
class Walk:
    """What a way along the chain met, by revision."""

    reached: list[str] = field(default_factory=list)
    errors: dict[str, SurefootError] = field(default_factory=dict)

    def failed(self, revision: Revision, error: SurefootError) -> None:
        """Keep what a revision met; the first of it says most."""
        self.errors.setdefault(revision.id, error)

    def check(self, revision: Revision) -> str | None:
        """Why nothing is known of a revision, or None where nothing is wrong with it.

        On failure: what was met there.
        """
        if revision.id in self.errors:
            raise self.errors[revision.id]
        if revision.id not in self.reached:
            stopped = next(reversed(self.errors), "a revision before it")
            return f"not reached: {stopped} stopped the way"
        return None
