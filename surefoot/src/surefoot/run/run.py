"""Run is one upgrade, downgrade or stamp, as its parts share it."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from surefoot.connect.limits import Limits
from surefoot.errors.names import alembic, typed
from surefoot.project import Project
from surefoot.run.interruption import Interruption
from surefoot.run.locks.observer import Observer
from surefoot.run.recorder import Recorder
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

    @property
    def resume(self) -> str:
        """The command that goes on with it."""
        return typed(f"{alembic()} {self.command} {self.destination or ''}".rstrip())

    @property
    def counts_losses(self) -> bool:
        """Whether each revision is asked which data it has lost."""
        return self.limits.production or self.tell_losses

    def __post_init__(self) -> None:
        engine = self.connection.engine
        self.observer = Observer(engine, limits=self.limits, listen=self.recorder.listen)
        self.telemetry = Telemetry(self.recorder.database)
