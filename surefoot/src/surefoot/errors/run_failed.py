"""A run stopped part-way, and the error says what was applied: exit code 4."""

from collections.abc import Sequence

from surefoot.errors import names
from surefoot.errors.base import SurefootError
from surefoot.errors.refused import Refused
from surefoot.wording import counted, in_order


class RunFailed(SurefootError):
    """A run stopped part-way; the message says what was done."""

    exit_code = 4
    word = "FAILED"


class UpgradeFailed(RunFailed):
    """A revision failed. Those before it stay applied; `kept` says what is left of this one."""

    code = "run-failed"
    cure = "correct the cause"
    revision: str
    reason: str
    applied: Sequence[str]
    command: str
    kept: str = "nothing"
    # The server's own advice, as `op.refuse_rows` has it.
    hint: str = ""
    says = "{revision} failed: {reason}\n  done: {applied:nothing}\n  kept of {revision}: {kept}"
    helps = "{first}then `{command}` again"

    @property
    def first(self) -> str:
        """The advice on what to do first."""
        return f"{self.hint.rstrip('. ')}; " if self.hint else f"{self.cure}, "


class RefusedPartWay(RunFailed):
    """A guard refused a revision when something was committed already, which the message names."""

    def __init__(self, revision: str, refusal: Refused, applied: Sequence[str], kept: str) -> None:
        self.revision, self.applied, self.kept = revision, tuple(applied), kept
        # The code of the guard's error.
        self.refusal = refusal.code
        super().__init__(
            f"{refusal.message} ({refusal.code})\n  done: {in_order(self.applied)}\n"
            f"  kept of {revision}: {kept}",
            help=refusal.help,
        )


class TargetMissed(RunFailed):
    """After a run the database is at another revision than the one that the run left."""

    def __init__(
        self,
        database: str,
        expected: Sequence[str],
        found: Sequence[str],
        version_table: str,
        applied: Sequence[str],
    ) -> None:
        self.database, self.expected, self.found = database, tuple(expected), tuple(found)
        self.applied = tuple(applied)
        super().__init__(
            f"after the run {database!r} should be at {', '.join(expected) or 'base'} and is at "
            f"{', '.join(found) or 'base'}: somebody else wrote to {version_table}\n"
            f"  done: {in_order(self.applied)}",
            help=f"`{names.command()} ledger` shows what was done, "
            f"`{names.alembic()} current` where it is",
        )


class DiskFull(UpgradeFailed):
    """The disk of the server is full."""

    cure = "make room on the database server's disk"


class StepNotPermitted(UpgradeFailed):
    """The role lacks a privilege that a revision needs."""

    cure = "run it as a role that may, such as the owner of what it changes, or let this role do it"


class ObjectsDepend(UpgradeFailed):
    """A revision drops or changes an object that others depend on, which the reason names."""

    cure = "drop the dependent objects before it, and create those that stay again after it"


class ObjectMissing(UpgradeFailed):
    """A revision of the past needs an object that the database does not have.

    An application, or a person, may have made it in other databases before there were revisions.
    """

    helps = "{cure}, then `{command}` again. {beginning}"

    @property
    def beginning(self) -> str:
        """The way of a project whose first revisions begin with tables."""
        return (
            "Where the first revisions need tables that none of them creates: "
            f"`{names.command()} squash REV --from-database` lets empty databases begin with those "
            "of a database at REV"
        )


class StepNotSupported(UpgradeFailed):
    """PostgreSQL does not do it at all, or this server lacks something, such as an extension."""

    helps = (
        "change the statement, or use a server that has what is missing (for a scratch database "
        "set {names[scratch]}), then `{command}` again"
    )


class DatabaseFailed(RunFailed):
    """A statement outside of a revision failed in the database, for a reason of no other error."""

    database: str
    reason: str
    says = "database {database!r} answered with an error: {reason}"
    helps = "correct the cause, then try again; the server's log has the statement"


class Unforeseen(RunFailed):
    """An exception that no other error stands for: a fault of the library, or of env.py."""

    reason: str
    place: str
    says = "{reason} (at {place}); the work of a transaction that was open is not kept"
    helps = (
        "SUREFOOT_TRACEBACK=1 shows the whole traceback; where its last lines are not of your "
        "project, report it"
    )


class AnswerLost(RunFailed):
    """A command did its work, and its answer could not be written."""

    reason: str
    ended: int | str
    says = (
        "the answer on stdout was not written whole: {reason}; the command itself ended with exit "
        "code {ended}"
    )
    helps = "write it where there is room; `{names.command} ledger` has the runs on the database"


class DuplicateRows(RunFailed):
    """A unique index cannot be built, because the table has duplicate rows."""

    def __init__(self, index: str, count: int, command: str = "the same command") -> None:
        self.index, self.count = index, count
        super().__init__(
            f"the unique index {index} cannot be built because of "
            f"{counted(count, 'duplicate row')}; no index is left",
            help=f"remove the duplicates, then run {command} again",
        )


class SchemaNotCopied(RunFailed):
    """The schema of a database could not be copied to the scratch server."""

    database: str
    reason: str
    # The schemas that were left out, as the project does not name them.
    without: str = ""
    says = "the schema of {database!r} cannot be copied: {reason}"
    helps = "{way}"

    @property
    def way(self) -> str:
        """The way to a copy, or around it."""
        if self.without:
            return (
                f"left out were the schemas that the project does not name ({self.without}): name "
                "those that it needs, Environment(schemas=[…])"
            )
        return (
            f"set {names.setting('scratch')} to a server that has what it needs (extensions, "
            "roles); a plan without --from-database takes the schema from the revisions"
        )


class ExtensionNotCreated(RunFailed):
    """A new or scratch database cannot get an extension that the project names."""

    extension: str
    address: str
    reason: str
    says = (
        "the extension {extension} of Environment(extensions=…) cannot be created on the server at "
        "{address}: {reason}"
    )
    helps = (
        "install it there; for scratch databases, set {names[scratch]} to a server that has it, or "
        "{names[pg_bindir]} to a PostgreSQL that has it"
    )


class ServerStartFailed(RunFailed):
    """The embedded server did not start; `log_tail` holds its last lines."""

    reason: str
    log_path: str
    log_tail: Sequence[str]
    says = "the embedded PostgreSQL did not start: {reason}{log_tail!l:  | }"
    helps = "the whole log is {log_path}"
