"""A test of the revisions found a problem: exit code 1."""

from collections.abc import Mapping, Sequence

from surefoot.errors.check_failed import CheckFailed


class RevisionMisnamed(CheckFailed):
    """The file name or the docstring of a revision is not as `alembic revision` writes it."""

    def __init__(self, file: str, reason: str, *, help: str) -> None:  # noqa: A002 - as the base
        self.file, self.reason = file, reason
        super().__init__(f"{file} {reason}", help=help)


class RevisionImports(CheckFailed):
    """A revision imports code that will change after the revision was applied."""

    def __init__(self, places: Sequence[str], *, help: str) -> None:  # noqa: A002 - as the base
        self.places = tuple(places)
        super().__init__("\n".join(self.places), help=help)


class RoundTripDiffers(CheckFailed):
    """After a downgrade, or a downgrade and an upgrade, the schema differs from before."""

    file: str
    way: str
    differences: Sequence[str]
    says = "{file}: {way} the schema is not what it was{differences!l}"
    helps = "let downgrade() undo all that upgrade() does, or raise with the reason why not"


class RowsRefused(CheckFailed):
    """A revision works on empty tables and fails on tables with rows."""

    file: str
    reason: str
    says = "{file} fails on a database with rows: {reason}"
    helps = (
        "correct the rows in the revision first; or set in ChainTests(values=…) the values of such "
        "rows, or in ChainTests(between=…) what happens before this revision"
    )


class RowsLost(CheckFailed):
    """A revision loses rows or values, and its docstring does not declare it."""

    file: str
    losses: Mapping[str, str]
    says = "{file} loses data and does not declare it{losses!l}"
    helps = (
        "keep the data, or declare the loss in the docstring: `Loses: {losses}; …`, with the reason"
    )


class RowsMissing(CheckFailed):
    """No rows could be made for some tables, so revisions were not tried on rows there."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        lines = (f"{table}: {reason}" for table, reason in self.reasons.items())
        super().__init__(
            "\n".join(["rows could not be made for every table", *lines]),
            help=f'set the values of its columns: ChainTests(values={{"{next(iter(self.reasons))}.…'
            '": "…"}), as SQL, with the number of the row as n',
        )


class OfflineDiffers(CheckFailed):
    """The SQL that `--sql` writes does not do what the upgrade does."""

    revisions: str
    differences: Sequence[str]
    says = (
        "`alembic upgrade {revisions} --sql` gives a different database than the upgrade"
        "{differences!l}"
    )
    helps = "let the revision do the same offline: context.is_offline_mode() is true there"


class OfflineImpossible(CheckFailed):
    """`--sql` cannot write a revision as SQL, or that SQL does not run."""

    revisions: str
    reason: str
    says = "`alembic upgrade {revisions} --sql` does not work: {reason}"
    helps = "offline there is no database to query: write the step in SQL"
