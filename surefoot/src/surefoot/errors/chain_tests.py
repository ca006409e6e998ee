"""A revision does not do what the tests over its chain prove: exit code 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surefoot.errors.check_failed import CheckFailed


class RevisionMisnamed(CheckFailed):
    """A revision's file is not named as `alembic revision` names one, or says nothing of itself."""

    code = "revision-misnamed"

    def __init__(self, file: str, reason: str, *, help: str) -> None:  # noqa: A002 - as the base
        self.file, self.reason = file, reason
        super().__init__(f"{file} {reason}", help=help)


class RevisionImports(CheckFailed):
    """A revision imports what moves on without it."""

    code = "revision-imports"

    def __init__(self, places: Sequence[str], *, help: str) -> None:  # noqa: A002 - as the base
        self.places = tuple(places)
        super().__init__("\n".join(self.places), help=help)


class RoundTripDiffers(CheckFailed):
    """After a way down, or down and up again, the schema is not what it was."""

    code = "round-trip-differs"

    def __init__(self, file: str, way: str, differences: Sequence[str]) -> None:
        self.file, self.way, self.differences = file, way, tuple(differences)
        super().__init__(
            "\n".join([f"{file}: {way} the schema is not what it was", *self.differences]),
            help="let downgrade() undo all that upgrade() does, or raise with the reason why not",
        )


class RowsRefused(CheckFailed):
    """A revision runs on empty tables, and not on tables with rows."""

    code = "rows-refused"

    def __init__(self, file: str, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(
            f"{file} fails on a database with rows: {reason}",
            help="let the revision bring the rows in order first; or say in ChainTests(values=…) "
            "what such rows hold, in ChainTests(between=…) what happens before this revision",
        )


class RowsLost(CheckFailed):
    """A revision loses rows or values and its docstring does not say so."""

    code = "rows-lost"

    def __init__(self, file: str, losses: Mapping[str, str]) -> None:
        self.file, self.losses = file, dict(losses)
        super().__init__(
            "\n".join([f"{file} loses what it does not declare", *self.losses.values()]),
            help=f"keep it, or declare it in the docstring: `Loses: {', '.join(self.losses)}; …`, "
            "with the reason",
        )


class RowsMissing(CheckFailed):
    """For some tables no row could be made, so nothing is known of revisions that meet rows."""

    code = "rows-missing"

    def __init__(self, reasons: Mapping[str, str]) -> None:
        self.reasons = dict(reasons)
        table = next(iter(self.reasons))
        super().__init__(
            "\n".join(
                [
                    "no row could be made for every table",
                    *(f"{table}: {reason}" for table, reason in self.reasons.items()),
                ]
            ),
            help=f'say what its columns hold: ChainTests(values={{"{table}.…": "…"}}), as SQL, '
            "with the number of the row as n",
        )


class OfflineDiffers(CheckFailed):
    """What `--sql` writes does not do what the upgrade does."""

    code = "offline-differs"

    def __init__(self, revisions: str, differences: Sequence[str]) -> None:
        self.revisions, self.differences = revisions, tuple(differences)
        super().__init__(
            "\n".join(
                [
                    f"`alembic upgrade {revisions} --sql` gives another database than the upgrade",
                    *self.differences,
                ]
            ),
            help="let the revision do the same offline: context.is_offline_mode() is true there",
        )


class OfflineImpossible(CheckFailed):
    """`--sql` cannot write a revision, or what it writes does not run."""

    code = "offline-impossible"

    def __init__(self, revisions: str, reason: str) -> None:
        self.revisions, self.reason = revisions, reason
        super().__init__(
            f"`alembic upgrade {revisions} --sql` does not work: {reason}",
            help="a revision that is written as SQL has no database to ask: say it in SQL",
        )
