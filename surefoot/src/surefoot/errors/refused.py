"""A guard said no, and nothing was changed: exit code 3."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.errors.base import SurefootError


class Refused(SurefootError):
    """A guard stopped the command before it changed anything."""

    code = "refused"
    exit_code = 3
    word = "REFUSED"


class TransactionAlreadyOpen(Refused):
    """The connection that was handed in is inside a transaction."""

    code = "transaction-already-open"

    def __init__(self) -> None:
        super().__init__(
            "the connection that was handed in has an open transaction: Alembic would take it "
            "for the caller's, commit nothing and report success",
            help="commit or roll back before the upgrade, or hand in a fresh engine.connect()",
        )


class CommandUnknown(Refused):
    """A function that is not one of Alembic's commands would change the database unprotected."""

    code = "command-unknown"

    def __init__(self, function: str, reason: str) -> None:
        self.function, self.reason = function, reason
        super().__init__(
            f"the environment was given the function {function!r}, which {reason}; nothing is kept",
            help="call upgrade(), downgrade() or stamp(); a function of your own may yield the "
            "steps of an upgrade and read, nothing else",
        )


class LoopAlreadyRunning(Refused):
    """A synchronous Alembic command was called inside a running event loop."""

    code = "loop-already-running"

    def __init__(self) -> None:
        super().__init__(
            "an event loop is already running, so this command cannot start one of its own",
            help='use `await upgrade(target, "head")` from surefoot.run.commands',
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


class RevisionUnsafe(Refused):
    """A revision is to run in production that lint found to hurt a database in use."""

    code = "revision-unsafe"

    def __init__(self, revision: str, rules: Sequence[str]) -> None:
        self.revision, self.rules = revision, tuple(rules)
        super().__init__(
            f"{revision} would hurt a database in use: it breaks {', '.join(rules)}",
            help=f"`vegafs lint {revision}` shows where, with the safe form; if it is meant, allow "
            "it in the file with a reason, then `vegafs lock`; VEGAFS_MIGRATE_LINT=warn only warns",
        )


class ServicesAlive(Refused):
    """A contract revision is to run while services live whose code it breaks."""

    code = "services-alive"

    def __init__(self, revision: str, needed: str, services: Sequence[object]) -> None:
        self.revision, self.needed = revision, needed
        self.services = tuple(str(service) for service in services)
        super().__init__(
            f"{revision} needs the code of {needed}, and {len(self.services)} older "
            f"{'service lives' if len(self.services) == 1 else 'services live'}: "
            + "; ".join(self.services),
            help=f"end them, or `vegafs upgrade {revision} --wait-for-services`; what comes before "
            f"it runs by its own id; against all this: `vegafs upgrade {revision} --execute "
            "--reason …`",
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
