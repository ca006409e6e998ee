"""Run is one upgrade, downgrade or stamp, as its parts share it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from surefoot.chain.revisions import Revision
from surefoot.connect.limits import Limits
from surefoot.errors.names import alembic, typed
from surefoot.project import Project
from surefoot.run.destination import absolute
from surefoot.run.interruption import Interruption
from surefoot.run.locks.observer import Observer
from surefoot.run.recorder import Recorder
from surefoot.run.report import PlannedRevision
from surefoot.run.session_settings import SessionSettings
from surefoot.telemetry import Telemetry


@dataclass
class Run:
    """The request, the connection, and everything that follows the run."""

    connection: Connection
    project: Project
    command: str
    # The revision that was asked for.
    destination: str | None
    limits: Limits
    recorder: Recorder
    interruption: Interruption
    # Why the guards are to let this run pass; the ledger keeps it.
    reason: str | None = None
    adopt: bool = False
    # Whether the ledger gets the fingerprint of the schema.
    measure: bool = True
    # Whether revisions may commit together, where the database is empty.
    together: bool = True
    # Whether an empty database may begin with the squash of the project.
    may_squash: bool = False
    # Whether the data that a revision loses is told, also where it may lose it.
    tell_losses: bool = False
    observer: Observer = field(init=False)
    telemetry: Telemetry = field(init=False)
    # Those of the connection.
    settings: SessionSettings = field(init=False)

    # The revision to which a relative destination leads, once the revisions are chosen.
    end: str | None = field(init=False, default=None)

    @property
    def resume(self) -> str:
        """The command that goes on with it."""
        to = (self.end if self.recorder.steps else None) or self.destination or ""
        return typed(f"{alembic()} {self.command} {to}".rstrip())

    @property
    def same_command(self) -> str:
        """The same in words; by its name where the one that was typed would lead further."""
        return f"`{self.resume}`" if self.end and self.recorder.steps else "the same command"

    def chosen(self, plan: Sequence[PlannedRevision], revisions: Sequence[Revision]) -> None:
        """Note the end of the first plan, which is that of all attempts."""
        if self.end is None:
            self.end = absolute(self.destination, plan, revisions)

    @property
    def counts_losses(self) -> bool:
        """Whether each revision is asked which data it has lost."""
        return self.limits.production or self.tell_losses

    def __post_init__(self) -> None:
        engine = self.connection.engine
        self.observer = Observer(engine, limits=self.limits, listen=self.recorder.listen)
        self.telemetry = Telemetry(self.recorder.database)
