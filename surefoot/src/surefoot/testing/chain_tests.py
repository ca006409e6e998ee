"""ChainTests configures the tests of a chain: its ini file, its models, and facts on its rows.

Walk is the result of running the chain revision by revision.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.chain.revisions import Revision, ancestors, heads
from surefoot.chain.squashed import Squash
from surefoot.connect.limits import Limits
from surefoot.errors import RevisionsBroken, SurefootError, UsageError
from surefoot.errors.names import command
from surefoot.project import Project, alembic_config
from surefoot.target import Target
from surefoot.version_table import VersionTable
from surefoot.wording import counted

_MEANT = "where the branches are meant: ChainTests(branches=True)"


@dataclass(frozen=True)
class ChainTests:
    """A chain of revisions and the models that its head has to match."""

    ini: Path
    metadata: MetaData
    # Values of columns whose types and checks do not suggest any: {"jobs.kind": "'scan'"}, as SQL;
    # n is the number of the row.
    values: Mapping[str, str] = field(default_factory=dict)
    # Statements to run after a revision, as a backfill does: {"0008": "UPDATE …"}.
    between: Mapping[str, str] = field(default_factory=dict)
    # The first revision to test, in a long chain; older ones are applied without tests. Where the
    # first ones do not run on an empty database it is the one behind them.
    since: str | None = None
    # Whether several heads are meant, as those of labelled branches are.
    branches: bool = False
    # As the Environment in env.py has them.
    version_table: VersionTable = VersionTable()
    schemas: Sequence[str] = ()
    extensions: Sequence[str] = ()
    manages: Sequence[str] = ()

    @cached_property
    def project(self) -> Project:
        """The folder of the revisions, and revisions.lock."""
        config = alembic_config(self.ini)
        return Project.of(
            config,
            version_table=self.version_table,
            schemas=self.schemas,
            extensions=self.extensions,
        )

    def revisions(self) -> tuple[Revision, ...]:
        """The chain, in its order. On failure: RevisionsBroken."""
        return self.project.revisions()

    def line(self) -> tuple[str | None, tuple[Revision, ...]]:
        """The revision before the first one to test, and the revisions to test.

        On failure: UsageError where `since` or `between` name an unknown revision; RevisionsBroken.
        """
        revisions = self.revisions()
        ids = [revision.id for revision in revisions]
        for name in (*([self.since] if self.since else []), *self.between):
            if name not in ids:
                folders = ", ".join(map(str, self.project.locations))
                raise UsageError(
                    f"ChainTests names {name}, which is no revision of {folders}",
                    help="correct since=… or between=…",
                )
        begun = self.begins_at
        untried = ancestors(revisions, [begun]) if begun else ()
        if self.since is None:
            tried = tuple(each for each in revisions if each.id not in untried)
            return begun, tried
        tried = revisions[ids.index(self.since) :]
        return (tried[0].down[0] if tried[0].down else None), tried

    @cached_property
    def begins_at(self) -> str | None:
        """The revision at which scratch databases begin; None where they run all of them.

        On failure: SquashEdited.
        """
        taken = Squash.taken(self.project.squashed)
        return taken.revision if taken else None

    def check(self) -> None:
        """On failure: RevisionsBroken where the tested part has branches that are not meant."""
        former, tried = self.line()
        if self.branches and self.since is None:
            return
        newest = heads(self.revisions())
        if len(newest) > 1:
            files = ", ".join(r.file_name for r in self.revisions() if r.id in newest)
            raise RevisionsBroken(
                f"the chain has {counted(len(newest), 'head')}: {files}",
                help=f"`{command()} rebase` puts the revisions of this branch behind those of the "
                f"other; {_MEANT}",
            )
        for revision in tried:
            if revision.down != ((former,) if former else ()):
                raise RevisionsBroken(
                    f"{revision.file_name} does not build on {former} alone, and an upgrade does "
                    "not stop between branches",
                    help=f"begin after their merge: ChainTests(since=…); {_MEANT}",
                )
            former = revision.id

    def target(self, engine: AsyncEngine) -> Target:
        """A scratch database as a Target, with the default limits."""
        return Target.of(engine, self.project, Limits())


@dataclass
class Walk:
    """The revisions that a run along the chain reached, and the errors of those that failed."""

    reached: list[str] = field(default_factory=list)
    errors: dict[str, SurefootError] = field(default_factory=dict)
    # Why one that was reached was not tested in every respect.
    left_out: dict[str, str] = field(default_factory=dict)

    def failed(self, revision: Revision, error: SurefootError) -> None:
        """Record the error of a revision; the first one counts."""
        self.errors.setdefault(revision.id, error)

    @contextmanager
    def reaches(self, revision: Revision) -> Iterator[None]:
        """Record that the revision was reached, or the error that ends the block."""
        try:
            yield
        except SurefootError as error:
            self.failed(revision, error)
        else:
            self.reached.append(revision.id)
