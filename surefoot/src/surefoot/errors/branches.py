"""A command that rewrites revisions or a development database refused: exit code 3."""

from collections.abc import Sequence

from surefoot.errors.refused import Refused
from surefoot.errors.run_failed import RunFailed
from surefoot.errors.usage import UsageError


class ChangesUncommitted(Refused):
    """Files that a command would write have changes that no commit has."""

    files: Sequence[str]
    says = "no commit has the changes of these files, which may be written:{files!l:}"
    helps = "commit or stash them first; new revision files and revisions.lock may be uncommitted"


class RevisionReleased(Refused):
    """A revision that is to be rewritten or deleted is known to others."""

    revision: str
    where: str
    says = "{revision} is released: {where}; a database that has it would not know it any more"
    helps = "leave it, and write the change as a new revision"


class RevisionsUnmerged(Refused):
    """The branch to stand behind has revisions that this one does not have yet."""

    branch: str
    revisions: Sequence[str]
    says = "{branch} has revisions that are not here yet: {revisions}"
    helps = "first `git merge {branch}`, or `git rebase {branch}`"


class DatabaseShared(Refused):
    """A command that is for a development database refused one that others may use."""

    database: str
    reasons: Sequence[str]
    says = "{database!r} may not be yours alone, as this command requires:{reasons!l:}"
    helps = (
        "set {names[database]} to a database of your own, or write a new revision; where only its "
        "ledger speaks against it, --mine takes it for yours"
    )


class RevisionNotFound(Refused):
    """The database has a revision whose file is on no branch that git knows."""

    database: str
    revisions: Sequence[str]
    says = (
        "{database!r} has {revisions}, and no commit that git knows has the file that was applied: "
        "it cannot be taken back"
    )
    helps = (
        "`git fetch` the branch that has it; or give the database up: "
        "`{names.command} db reset --execute` makes a new one at head"
    )


class PathBetween(Refused):
    """No single downgrade takes a database to where it should go."""

    database: str
    revisions: Sequence[str]
    says = "no downgrade takes {revisions} out of {database!r} and leaves all others"
    helps = "`{names.command} db reset --execute` makes a new one at head"


class SeedsInvalid(UsageError):
    """The file that fills a new development database cannot be used."""

    name: str
    reason: str
    says = "{name} cannot be used: {reason}"
    helps = "it has `async def seed(connection)`, or `def seed(connection)`, of SQLAlchemy"


class SeedsFailed(RunFailed):
    """The file that fills a new development database raised an error."""

    place: str
    reason: str
    kept: str
    says = "{place} failed: {reason}; {kept}"
    helps = "correct it, then run the command again"


class OldDatabaseLeft(RunFailed):
    """A new development database has the name of the old one, which could not be dropped."""

    database: str
    old: str
    reason: str
    drop: str
    says = "{database!r} is new and at head, and the former one is left as {old!r}: {reason}"
    helps = "once nothing needs it: {drop}"
