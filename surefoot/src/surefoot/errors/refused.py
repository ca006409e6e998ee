"""A guard refused the command, and nothing was changed: exit code 3."""

from collections.abc import Sequence

from surefoot.errors.base import SurefootError
from surefoot.errors.names import command, setting
from surefoot.wording import counted


class Refused(SurefootError):
    """A guard refused the command before it changed anything."""

    exit_code = 3
    word = "REFUSED"


class TransactionAlreadyOpen(Refused):
    """The connection that was handed in is inside a transaction."""

    def __init__(self) -> None:
        super().__init__(
            "the connection that was handed in has an open transaction: Alembic would take it for "
            "the caller's, commit nothing and report success",
            help="commit or roll back before the upgrade, or hand in a fresh engine.connect()",
        )


class CommandUnknown(Refused):
    """A function that is not one of Alembic's commands would change the database unprotected."""

    function: str
    reason: str
    says = "the environment was given the function {function!r}, which {reason}; nothing is kept"
    helps = (
        "call upgrade(), downgrade() or stamp(); a function of your own may yield the steps of an "
        "upgrade and read, nothing else"
    )


class LoopAlreadyRunning(Refused):
    """A synchronous Alembic command was called inside a running event loop."""

    def __init__(self) -> None:
        super().__init__(
            "an event loop is already running, so this command cannot start one of its own",
            help='use `await surefoot.upgrade(target, "head")`',
        )


class LockTimeoutMissing(Refused):
    """The connection has no lock timeout, or a pooler has dropped it."""

    database: str
    says = (
        "the connection to {database!r} has no lock_timeout: one statement that waits for a lock "
        "would make the service wait as long"
    )
    helps = (
        'connect with `Database(…).engine("migrate")`; behind a pooler set '
        "{names[migrate_database]} to the server itself"
    )


class AutocommitRefused(Refused):
    """The connection keeps each statement by itself."""

    code = "autocommit"
    database: str
    says = "the connection to {database!r} is in AUTOCOMMIT: a part of a failed revision would stay"
    helps = 'connect with `Database(…).engine("migrate")`, or without isolation_level="AUTOCOMMIT"'


class StandbyRefused(Refused):
    """The server is a standby, which takes no changes."""

    code = "standby"
    database: str
    says = "the server of {database!r} is a standby, which takes no changes"
    helps = (
        "name the primary in {names[database]}, or several hosts with "
        "?target_session_attrs=read-write"
    )


class ReadOnlyRefused(Refused):
    """The session may only read."""

    code = "read-only"
    database: str
    says = "the sessions of {database!r} are read-only (default_transaction_read_only is on)"
    helps = (
        "turn it off for the role that migrates: "
        "ALTER ROLE … SET default_transaction_read_only = off"
    )


class AdoptionUnclear(Refused):
    """An env.py does more than run migrations, and only a person can tell where that belongs."""

    path: str
    statements: Sequence[str]
    says = "{path} has statements whose place only you can tell:{statements!l:line }"
    helps = (
        "move or delete them, or write the new env.py by hand; then run `{names.command} adopt` "
        "again"
    )


class NotAdopted(Refused):
    """The database has tables and no version table, or an empty one and no ledger."""

    def __init__(self, database: str, version_table: str, has: str = "no version table") -> None:
        self.database = database
        super().__init__(
            f"{database!r} has tables and {has}: it was not made by these revisions, "
            f"or its {version_table} is lost",
            help=f"`{command()} ops adopt REV --reason …` compares it with a revision and adopts "
            "it",
        )


class MixedRevision(Refused):
    """A revision mixes a step outside a transaction with others."""

    revision: str
    says = (
        "{revision} has a step that runs outside a transaction, and other steps: those before it "
        "could not be rolled back"
    )
    helps = "give that step a revision of its own"


class CommitsByItself(Refused):
    """A revision ends its own transaction."""

    revision: str
    says = (
        "{revision} ends its transaction by itself: after a failure nobody could tell which of its "
        "changes are kept"
    )
    helps = (
        "leave COMMIT, ROLLBACK and autocommit_block() out; for an index use "
        "op.create_index_concurrently(…)"
    )


class PastNotAsSql(Refused):
    """A revision of the past that ends its own transaction, in SQL for psql."""

    revision: str
    last: str
    says = (
        "{revision} ends its transaction by itself: SQL could not go on where such a revision "
        "broke off"
    )
    helps = (
        "run the revisions up to {last} without `--sql`, and let the SQL begin there: "
        "`{names.alembic} upgrade {last}:head --sql`"
    )


class PartlyApplied(Refused):
    """A revision of the past was left half-way, and cannot go on from there."""

    revision: str
    kept: int
    says = (
        "{revision} left its transaction in a run that failed (changes that are kept: {kept}), and "
        "it sends others now, so it cannot go on from there"
    )
    helps = (
        "`{names.command} drift` compares the schema with the revisions before it; do the rest of "
        "it by hand, then `{names.command} ops adopt {revision} --reason …` records it"
    )


class ConnectsByItself(Refused):
    """A revision opens a connection of its own."""

    revision: str
    says = (
        "{revision} opens a second connection: what it does there would be kept, whatever becomes "
        "of the revision"
    )
    helps = "use op.get_bind(), the connection of the revision's transaction"


class RunsNothing(Refused):
    """The function of a revision is asynchronous or a generator: a call runs nothing of it."""

    revision: str
    function: str
    says = (
        "{function}() of {revision} is asynchronous or a generator: Alembic would call it, run "
        "nothing of it, and record the revision as applied"
    )
    helps = "write it with `def` and without yield; op.run_async(…) runs a coroutine in it"


class SchemaMissing(Refused):
    """A schema does not exist that the version table is to be in, or new objects."""

    database: str
    reason: str
    says = "database {database!r} lacks a schema: {reason}"
    helps = "create it, or correct version_table_schema in env.py and the search path of the role"


class FunctionMissing(Refused):
    """A revision has no function for that way, so Alembic plans no step of it."""

    revision: str
    function: str
    says = "{revision} has no {function}(), so no {function} passes it"
    helps = "write {function}() into its file"


class IndexDiffers(Refused):
    """A valid index of that name has another definition."""

    name: str
    found: str
    wanted: str
    says = (
        "there is a valid index {name} with another definition\nfound:  {found}\nwanted: {wanted}"
    )
    helps = "drop it, or give the new index another name"


class RevisionUnsafe(Refused):
    """A revision would run in production although lint found that it hurts a database in use."""

    revision: str
    rules: Sequence[str]
    says = "{revision} would hurt a database in use: it breaks {rules}"
    helps = (
        "`{names.command} lint {revision}` shows where, with the safe form; to override, allow it "
        "in the file with a reason, then `{names.command} lock`; {names[lint=warn]} only warns"
    )


class RevisionUnseen(Refused):
    """A revision would run in production of which lint has not seen all, as it is now."""

    def __init__(self, revision: str, *, unlocked: bool = False) -> None:
        """`unlocked`: there is no revisions.lock."""
        self.revision, self.unlocked = revision, unlocked
        why = (
            "there is no revisions.lock"
            if unlocked
            else "lint has not seen all of it, as it is now"
        )
        tried = (
            f"`{command()} lock` tries it, and `{command()} lint {revision}` shows what is unseen"
        )
        adopted = f"`{command()} lock --baseline heads` writes it"
        super().__init__(
            f"{revision} may hurt a database in use: {why}",
            help=f"{adopted if unlocked else tried}; {setting('lint=warn')} only warns",
        )


class ServicesAlive(Refused):
    """A contract revision would break services that are running."""

    def __init__(self, revision: str, needed: str, services: Sequence[object]) -> None:
        self.revision, self.needed = revision, needed
        self.services = tuple(map(str, services))
        super().__init__(
            f"{revision} needs the code of {needed}, and "
            f"{counted(len(self.services), 'older service', 'is/are')} running: "
            + "; ".join(self.services),
            help=f"stop them, or `{command()} upgrade {revision} --wait-for-services`; to "
            f"apply only revisions before it, name the last of them; to override: "
            f"`{command()} upgrade {revision} --execute --reason …`",
        )


class ClusterChanged(Refused):
    """A revision on a scratch database would change what all databases of its server share."""

    catalogs: Sequence[str]
    says = (
        "a revision changes {catalogs}, which all databases of the scratch server share: it would "
        "stay there; the transaction was rolled back"
    )
    helps = (
        "leave roles, tablespaces and settings of the server to whoever sets it up; or leave "
        "{names[scratch]} unset: a throw-away server is gone with all of it"
    )


class ServerInUse(Refused):
    """The embedded server has users."""

    users: Sequence[str]
    says = "the embedded server is in use by {users}"
    helps = "wait for them, or `{names.command} db stop --now`"
