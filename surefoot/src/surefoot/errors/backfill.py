"""A backfill cannot begin, or cannot go on."""

from collections.abc import Sequence

from surefoot.errors.names import command
from surefoot.errors.refused import Refused
from surefoot.errors.run_failed import RunFailed
from surefoot.errors.temporary import Temporary
from surefoot.errors.usage import NotFound, UsageError
from surefoot.wording import counted, suggestion


class BackfillInvalid(UsageError):
    """The file of a backfill cannot be used."""

    path: str
    reason: str
    says = "{path} is no backfill: {reason}"
    helps = "correct the file; the page backfills.md of the documentation has an example"


class BackfillUnwritten(UsageError):
    """Autogenerate has left the value of a column to a person."""

    path: str
    column: str
    says = "the value of {column} is yours to write in {path}"
    helps = "write it there as SQL, in quotes and in place of the three dots"


class BackfillUnknown(NotFound):
    """No backfill has that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)
        super().__init__(
            f"there is no backfill {name!r}; the project has {', '.join(self.known) or 'none'}",
            help=suggestion(name, self.known) or f"`{command()} backfill list` lists them",
        )


class BackfillKeyUnfit(UsageError):
    """The rows of a table cannot be walked by the key."""

    backfill: str
    table: str
    key: str
    reason: str
    says = "{backfill} cannot walk {table} by {key}: {reason}"
    helps = (
        "name in `key` the columns of a unique index, in its order, all of them NOT NULL; "
        "CREATE UNIQUE INDEX CONCURRENTLY makes one beside the service"
    )


class BackfillTooEarly(Refused):
    """The revision that a backfill needs is not applied."""

    backfill: str
    after: str
    database: str
    says = "{backfill} needs the revision {after}, which {database!r} does not have"
    helps = "`{names.command} upgrade {after}`, then the same command again"


class BackfillEdited(Refused):
    """The class of a backfill is not the one that a run on the database began with."""

    backfill: str
    says = (
        "{backfill} was edited after its run on the database began: some of its rows were changed "
        "in the former way"
    )
    helps = (
        "go on with the former file, or `{names.command} backfill cancel {backfill} --execute` and "
        "run it again: rows that no longer match its filter keep what they have"
    )


class BackfillColumnShared(Refused):
    """Two backfills write the same column."""

    backfill: str
    other: str
    column: str
    says = "{backfill} writes {column}, and so does {other}, which is not complete"
    helps = "complete {other}, or cancel it, then run the same command again"


class BackfillScans(Refused):
    """A batch would read all of a large table each time."""

    backfill: str
    table: str
    plan: Sequence[str]
    says = "each batch of {backfill} would read all of {table}:{plan!l:| }"
    helps = "create the index that its filter or its statement needs, or ANALYZE the table"


class BackfillRowsHidden(Refused):
    """Row security decides which rows the role sees."""

    backfill: str
    table: str
    says = (
        "row security decides which rows of {table} this role sees: {backfill} could not tell "
        "whether all of them were changed"
    )
    helps = (
        "run it as a role with BYPASSRLS, or as the owner of the table, for whom FORCE ROW LEVEL "
        "SECURITY has to be off"
    )


class BackfillPaused(Refused):
    """Somebody has paused the backfill."""

    backfill: str
    by: str
    says = "{backfill} is paused by {by}"
    helps = "`{names.command} backfill resume {backfill}`, then the same command again"


class BackfillPending(Refused):
    """A revision requires a backfill that is not complete."""

    def __init__(
        self,
        revision: str,
        backfill: str,
        state: str,
        *,
        first: str | None = None,
        to: str | None = None,
    ) -> None:
        """`first` is the revision that has to be applied before the backfill can run.

        A relative destination would lead further then: `to` is the revision that it means.
        """
        self.revision, self.backfill, self.state = revision, backfill, state
        self.first, self.to = first, to
        upgrade = f"`{command()} upgrade {first}`, then " if first else ""
        again = f"`{command()} upgrade {to}`" if to else "the same command again"
        super().__init__(
            f"{revision} requires the backfill {backfill}, and {state}",
            help=f"{upgrade}`{command()} backfill run {backfill} --execute`, then {again}; "
            f"`{command()} upgrade --run-backfills` does all of it",
        )


class BackfillTableGone(RunFailed):
    """The table was renamed, replaced or dropped since the backfill began."""

    backfill: str
    table: str
    reason: str
    says = "{backfill} cannot go on: {table} {reason}"
    helps = (
        "correct `table` in the class, or restore the table; batches that were committed are kept, "
        "and `{names.command} backfill cancel {backfill} --execute` forgets how far it came"
    )


class BackfillWithoutProgress(RunFailed):
    """Rows match the filter also after they were changed."""

    backfill: str
    rows: int
    todo: str
    says = (
        "{backfill} makes no progress: a batch of {batch} matches its filter ({todo}) also after "
        "it was changed"
    )
    helps = "let the filter say which rows still lack the change; then run it again"

    @property
    def batch(self) -> str:
        """The number of rows."""
        return counted(self.rows, "row")


class BackfillRowsFailed(RunFailed):
    """Rows could not be changed; all others were."""

    backfill: str
    failed: int
    errors: Sequence[str]
    state: str
    says = "{backfill} {state}, and rows that could not be changed: {failed}{errors!l:- }"
    helps = (
        "`{names.command} backfill status {backfill}` shows them; correct the rows or the class, "
        "then `{names.command} backfill retry-failed {backfill} --execute`"
    )


class BackfillStopped(RunFailed):
    """A statement of the backfill cannot work at all."""

    backfill: str
    reason: str
    says = "{backfill} stopped: {reason}"
    helps = (
        "correct the class or the database, then run the same command again; batches that were "
        "committed are kept"
    )


class BackfillBlocked(Temporary):
    """Other sessions kept a batch from its locks for as long as a run waits."""

    backfill: str
    reason: str
    says = "{backfill} could not go on: {reason}; its batches up to then are kept"
    helps = "end the session that blocks, then run the same command again"
