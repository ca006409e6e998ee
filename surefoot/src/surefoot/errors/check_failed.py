"""A check found a problem: exit code 1."""

from collections.abc import Sequence

from surefoot.errors.base import SurefootError
from surefoot.errors.names import command, goal, taken_back
from surefoot.wording import counted, listed


class CheckFailed(SurefootError):
    """A check found a problem."""

    exit_code = 1


class DatabaseBehind(CheckFailed):
    """The database lacks revisions that this build needs."""

    database: str
    current: str
    expected: str
    pending: Sequence[str]
    says = "database {database!r} is at {current}; this build needs {expected} (pending: {pending})"
    helps = "run `{names.alembic} upgrade {goal}`"

    @property
    def goal(self) -> str:
        """Where to upgrade to."""
        return goal(self.expected.split(", "))


class DatabaseAhead(CheckFailed):
    """The database has revisions that this build does not know."""

    def __init__(
        self, database: str, current: str, expected: str, strangers: Sequence[str] = ()
    ) -> None:
        """`strangers` are the revisions that the build does not know, each with its phase."""
        self.database, self.current, self.expected = database, current, expected
        self.strangers = tuple(strangers)
        newer = f"; ahead of it: {', '.join(self.strangers)}" if self.strangers else ""
        super().__init__(
            f"database {database!r} is at {current}, which this build does not know; "
            f"its newest revision is {expected}{newer}",
            help=f"deploy the build that has {current}, or downgrade the database with that build; "
            + taken_back(),
        )


class DatabaseDiverged(CheckFailed):
    """The database and this build contradict each other."""

    def __init__(self, database: str, why: str, help: str) -> None:  # noqa: A002 - as its base's
        self.database, self.why = database, why
        super().__init__(
            f"database {database!r} and this build contradict each other: {why}", help=help
        )


class NeverMigrated(CheckFailed):
    """The database has no revision at all."""

    database: str
    expected: str
    says = "database {database!r} was never migrated; this build needs {expected}"
    helps = "run `{names.alembic} upgrade {goal}`"

    @property
    def goal(self) -> str:
        """Where to upgrade to."""
        return goal(self.expected.split(", "))


class DatabaseDrifted(CheckFailed):
    """The database or the models differ from what the revisions give."""

    def __init__(self, database: str, revision: str, in_database: int, in_models: int) -> None:
        self.database, self.revision = database, revision
        self.in_database, self.in_models = in_database, in_models
        told = ((in_database, f"of {database!r}"), (in_models, "of the models"))
        super().__init__(
            "; ".join(
                f"{counted(n, 'difference')} {where} from {revision}" for n, where in told if n
            ),
            help=f"`{command()} drift` lists them, with the SQL that repairs them",
        )


class LockFileStale(CheckFailed):
    """revisions.lock does not match the revision files."""

    def __init__(self, path: str, differences: Sequence[str]) -> None:
        self.path, self.differences = path, tuple(differences)
        super().__init__(
            f"{path} does not match the revision files: {listed(self.differences, '; ')}",
            help=f"run `{command()} lock` and commit the file",
        )


class ModelsDiffer(CheckFailed):
    """The models and the database differ."""

    def __init__(self, differences: Sequence[str]) -> None:
        self.differences = tuple(differences)
        by_hand = any(each.startswith("by hand ") for each in differences)
        super().__init__(
            "\n".join(
                [
                    f"models and database have {counted(len(self.differences), 'difference')}",
                    *self.differences,
                ]
            ),
            help='alembic revision --autogenerate -m "…" writes them as a revision'
            + (", or lists the steps by hand" if by_hand else ""),
        )
