"""Operations on the constraints of a table, and one that stops where rows break a condition.

    op.create_unique_constraint_using_index("uq_jobs_ref", "jobs", "uq_jobs_ref")
    op.create_primary_key_using_index("pk_jobs", "jobs", "pk_jobs")
    op.validate_constraint("ck_jobs_rank", "jobs")
    op.refuse_rows("files", "size IS NOT NULL AND size_new IS NULL", "fill files.size_new")

Importing this module registers them.
"""

from dataclasses import dataclass, field

from surefoot.operations.statement import StatementOperation, operation
from surefoot.quoting import literal, quoted


@operation("create_unique_constraint_using_index")
@dataclass(eq=False)
class UniqueUsingIndex(StatementOperation):
    """Add a unique constraint by a unique index: a change of the catalogue that reads no row.

    The constraint owns the index from then on: dropping one drops the other.
    """

    constraint_name: str
    table_name: str
    index_name: str
    deferrable: bool = field(default=False, kw_only=True)
    initially: str | None = field(default=None, kw_only=True)

    def sql(self) -> str:
        kind = "PRIMARY KEY" if isinstance(self, PrimaryKeyUsingIndex) else "UNIQUE"
        later = " DEFERRABLE" if self.deferrable else ""
        later += "" if self.initially is None else f" INITIALLY {self.initially}"
        table, name, index = (
            self.whole(self.table_name), quoted(self.constraint_name), quoted(self.index_name)
        )  # fmt: skip
        return f"ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {index}{later}"


@operation("create_primary_key_using_index")
class PrimaryKeyUsingIndex(UniqueUsingIndex):
    """Add a primary key by a unique index. It scans the table for nulls in nullable columns."""


@operation("validate_constraint")
@dataclass(eq=False)
class ValidateConstraint(StatementOperation):
    """Check the rows that are older than the constraint; readers and writers go on."""

    constraint_name: str
    table_name: str

    def sql(self) -> str:
        table, name = self.whole(self.table_name), quoted(self.constraint_name)
        return f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"


@operation("refuse_rows")
@dataclass(eq=False)
class RefuseRows(StatementOperation):
    """Stop where a row of the table meets the condition. The search ends at the first such row.

    It blocks neither readers nor writers, so put it first in the revision. On failure: a check
    violation that names table, condition and `hint`; PostgreSQL's refusal where row level security
    would hide rows from the role. Nothing has changed.
    """

    table_name: str
    condition: str
    hint: str

    def sql(self) -> str:
        message = literal(f"{self.table_name} has rows for which {self.condition}")
        table = self.whole(self.table_name)
        return (
            "DO $refuse_rows$\nDECLARE\n"
            "    before text := current_setting('row_security');\nBEGIN\n"
            "    PERFORM set_config('row_security', 'off', true);\n"
            f"    IF EXISTS (SELECT FROM {table} WHERE {self.condition}) THEN\n"
            "        RAISE EXCEPTION USING ERRCODE = 'check_violation',\n"
            f"            MESSAGE = {message},\n"
            f"            HINT = {literal(self.hint)};\n"
            "    END IF;\n"
            "    PERFORM set_config('row_security', before, true);\nEND\n$refuse_rows$"
        )
