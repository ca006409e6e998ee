"""The ledger of a database and the revision files contradict each other: exit code 3."""

from collections.abc import Sequence
from datetime import datetime

from surefoot.errors.names import arguments, command, taken_back
from surefoot.errors.refused import Refused


class StampRefused(Refused):
    """The schema differs from the one that the revision to stamp gives."""

    def __init__(
        self, database: str, revisions: Sequence[str], expected: str | None, found: str
    ) -> None:
        self.database, self.revision = database, (revision := ", ".join(revisions) or "base")
        first = f"`{command()} ops stamp {arguments(revisions)} --reason …`"
        self.expected, self.found = expected, found
        super().__init__(
            f"the schema of {database!r} is not what {revision} gives (fingerprint {found[:8]}…, "
            f"expected {expected[:8]}…); a stamp would hide the difference"
            if expected
            else f"it is not known whether the schema of {database!r} is what {revision} gives: "
            "revisions.lock has no comparable fingerprint for it",
            help=f"{first} shows the difference first",
        )


class RevisionEdited(Refused):
    """The code of a revision changed after the revision was applied."""

    def __init__(
        self, name: str, revision: str, when: datetime | None, recorded: str, on_disk: str
    ) -> None:
        self.revision, self.recorded, self.on_disk = revision, recorded, on_disk
        super().__init__(
            f"{name} changed after it was applied{_on(when)} "
            f"(recorded {recorded[:8]}…, file {on_disk[:8]}…)",
            help="restore the file; if the edit is harmless, "
            f"`{command()} ops accept-checksum {revision} --reason …`; {taken_back()}",
        )


class RevisionMissing(Refused):
    """A revision was applied and has no file."""

    def __init__(self, revision: str, when: datetime | None, recorded: str) -> None:
        self.revision, self.recorded = revision, recorded
        super().__init__(
            f"{revision} was applied{_on(when)} (recorded {recorded[:8]}…) and its file is gone",
            help="restore the file from version control; where it was squashed or renamed, "
            f"`{command()} ops adopt REV --reason …` records the revisions that replace it; "
            + taken_back(),
        )


class RevisionInserted(Refused):
    """A revision was inserted before one that is already applied."""

    name: str
    current: Sequence[str]
    says = (
        "{name} comes before {current}, which is applied, but was never applied itself: no upgrade "
        "would run it"
    )
    helps = (
        "give it the next number and build it on the newest revision; if its changes are in the "
        "database, `{names.command} ops adopt {current!w} --reason …` records it"
    )


class RevisionUnrecorded(Refused):
    """Revisions were applied, and the ledger does not have them: plain Alembic, or a hand."""

    revisions: Sequence[str]
    current: Sequence[str]
    says = (
        "the database is at {current}, and its ledger does not have {revisions}: something else "
        "than Surefoot applied them"
    )
    helps = (
        "`{names.command} ops adopt {current!w} --reason …` compares the schema and records them"
    )


class LedgerContradicted(Refused):
    """The version table and the ledger contradict each other about the applied revisions."""

    def __init__(self, database: str, why: str, help: str) -> None:  # noqa: A002 - as its base's
        self.database, self.why = database, why
        super().__init__(
            f"the version table and the ledger of {database!r} contradict each other: {why}; a run "
            "would apply revisions that are applied, or miss some",
            help=help,
        )


class RevisionIdTooLong(Refused):
    """The version table cannot hold the id of a revision."""

    revision: str
    length: int
    table: str
    sql: str
    width: int
    says = (
        "the id {revision} has {length} characters, and {table}.version_num holds {width}: after "
        "the revision had run it could not be recorded; nothing was applied"
    )
    helps = (
        "give it a shorter id; or, as no revision can do it, by hand: create the table, or "
        "ALTER TABLE {sql} ALTER version_num TYPE varchar(255)"
    )


class VersionRowInvalid(Refused):
    """A row of the version table holds no revision id."""

    table: str
    sql: str
    found: str
    says = "{table} has a row that is no revision: its version_num is {found}"
    helps = (
        "correct the row by hand, `{names.command} ledger` shows the revisions that were applied: "
        "DELETE FROM {sql} WHERE coalesce(version_num, '') = ''"
    )


class VersionRowRepeated(Refused):
    """The version table names a revision twice."""

    table: str
    sql: str
    revision: str
    says = (
        "{table} has several rows {revision}: its primary key was dropped, and a step of Alembic "
        "moves one row"
    )
    helps = (
        "keep one of them, by hand: DELETE FROM {sql} a USING {sql} b "
        "WHERE a.version_num = b.version_num AND a.ctid > b.ctid; "
        "ALTER TABLE {sql} ADD PRIMARY KEY (version_num)"
    )


class SearchPathEmpty(Refused):
    """The search path leads to no schema, so no table of an unqualified name can be found."""

    path: str
    table: str
    says = (
        "the search_path of this session ({path}) leads to no schema that its role may use: a "
        "table of an unqualified name, such as {table}, cannot be found, whether it is there or not"
    )
    helps = (
        "GRANT USAGE ON SCHEMA to the role, or set the search_path of the database or the role, "
        "such as ALTER DATABASE … SET search_path = public"
    )


class RowsHidden(Refused):
    """A table shows no row, and row security decides which rows this role sees."""

    table: str
    says = (
        "{table} shows no row to this role, and has row security: whether it has rows is not known"
    )
    helps = (
        "run it as a role with BYPASSRLS, or as the owner of the table, for whom FORCE ROW LEVEL "
        "SECURITY has to be off, or give this one a policy: "
        "CREATE POLICY … ON {table} USING (true)"
    )


class LedgerAltered(Refused):
    """Somebody altered the ledger's table: its columns are not those that the library makes."""

    table: str
    differences: Sequence[str]
    says = "the table {table} is not the ledger as the library made it: {differences}"
    helps = "alter these columns back, or restore the table from a backup"


class LedgerEdited(Refused):
    """A row of the ledger was changed after it was written."""

    table: str
    row: int
    says = "the ledger {table} was changed by hand at or before row {row}: its hash does not match"
    helps = "restore the row from a backup; `{names.command} ledger` shows it"


def _on(when: datetime | None) -> str:
    return f" on {when:%Y-%m-%d}" if when else ""
