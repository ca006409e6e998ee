"""A test of the revisions found a problem: exit code 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surefoot.errors.check_failed import CheckFailed


class RevisionMisnamed(CheckFailed):
    """The file name or the docstring of a revision is not as `alembic revision` writes it."""

    code = "revision-misnamed"

    def __init__(self, file: str, reason: str, *, help: str) -> None:  # noqa: A002 - as the base
        self.file, self.reason = file, reason
        super().__init__(f"{file} {reason}", help=help)


class RevisionImports(CheckFailed):
    """A revision imports code that will change after the revision was applied."""

    code = "revision-imports"

    def __init__(self, places: Sequence[str], *, help: str) -> None:  # noqa: A002 - as the base
        self.places = tuple(places)
        super().__init__("\n".join(self.places), help=help)


class RoundTripDiffers(CheckFailed):
    """After a downgrade, or a downgrade and an upgrade, the schema differs from before."""

    code = "round-trip-differs"

    def __init__(self, file: str, way: str, differences: Sequence[str]) -> None:
        self.file, self.way, self.differences = file, way, tuple(differences)
        super().__init__(
            "\n".join([f"{file}: {way} the schema is not what it was", *self.differences]),
            help="let downgrade() undo all that upgrade() does, or raise with the reason why not",
        )


class RowsRefused(CheckFailed):
    """A revision works on empty tables and fails on tables with rows."""

    code = "rows-refused"

    def __init__(self, file: str, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(
            f"{file} fails on a database with rows: {reason}",
            help="correct the rows in the revision first; or set in ChainTests(values=…) the "
            "values of such rows, or in ChainTests(between=…) what happens before this revision",
        )


class RowsLost(CheckFailed):
    """A revision loses rows or values, and its docstring does not declare it."""

    code = "rows-lost"

    def __init__(self, file: str, losses: Mapping[str, str]) -> None:
        self.file, self.losses = file, dict(losses)
        super().__init__(
            "\n".join([f"{file} loses data and does not declare it", *self.losses.values()]),
            help="keep the data, or declare the loss in the docstring: "
            f"`Loses: {', '.join(self.losses)}; …`, with the reason",
        )


class RowsMissing(CheckFailed):
    """No rows could be made for some tables, so revisions were not tried on rows there."""

    code = "rows-missing"

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        table = next(iter(self.reasons))
        super().__init__(
            "\n".join(
                [
                    "rows could not be made for every table",
                    *(f"{table}: {reason}" for table, reason in self.reasons.items()),
                ]
            ),
            help=f'set the values of its columns: ChainTests(values={{"{table}.…": "…"}}), as SQL, '
            "with the number of the row as n",
        )


class OfflineDiffers(CheckFailed):
    """The SQL that `--sql` writes does not do what the upgrade does."""

    code = "offline-differs"

    def __init__(self, revisions: str, differences: Sequence[str]) -> None:
        self.revisions, self.differences = revisions, tuple(differences)
        super().__init__(
            "\n".join(
                [
                    f"`alembic upgrade {revisions} --sql` gives a different database than the "
                    "upgrade",
                    *self.differences,
                ]
            ),
            help="let the revision do the same offline: context.is_offline_mode() is true there",
        )


class OfflineImpossible(CheckFailed):
    """`--sql` cannot write a revision as SQL, or that SQL does not run."""

    code = "offline-impossible"

    def __init__(self, revisions: str, reason: str) -> None:
        self.revisions, self.reason = revisions, reason
        super().__init__(
            f"`alembic upgrade {revisions} --sql` does not work: {reason}",
            help="offline there is no database to query: write the step in SQL",
        )
