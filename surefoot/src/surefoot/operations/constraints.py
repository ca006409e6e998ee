"""Operations that add a constraint by an existing index, and validate one that is NOT VALID.

    op.create_unique_constraint_using_index("uq_jobs_ref", "jobs", "uq_jobs_ref")
    op.create_primary_key_using_index("pk_jobs", "jobs", "pk_jobs")
    op.validate_constraint("ck_jobs_rank", "jobs")

Importing this module registers them.
"""

from __future__ import annotations

from alembic.operations import Operations

from surefoot.operations.statement import StatementOperation
from surefoot.quoting import quoted


class _OnConstraint(StatementOperation):
    """A statement on a constraint of a table."""

    def __init__(self, constraint_name: str, table_name: str) -> None:
        self.constraint_name, self.table_name = constraint_name, table_name


@Operations.register_operation("create_unique_constraint_using_index")
class UniqueUsingIndex(_OnConstraint):
    """A unique constraint that takes over a unique index."""

    kind = "UNIQUE"

    def __init__(
        self,
        constraint_name: str,
        table_name: str,
        index_name: str,
        *,
        deferrable: bool = False,
        initially: str | None = None,
    ) -> None:
        super().__init__(constraint_name, table_name)
        self.index_name = index_name
        self.deferrable, self.initially = deferrable, initially

    @classmethod
    def create_unique_constraint_using_index(
        cls,
        operations: Operations,
        constraint_name: str,
        table_name: str,
        index_name: str,
        *,
        deferrable: bool = False,
        initially: str | None = None,
    ) -> None:
        """Add a unique constraint by a unique index: a change of the catalogue that reads no row.

        The constraint owns the index from then on: dropping one drops the other.
        """
        operations.invoke(
            cls(constraint_name, table_name, index_name, deferrable=deferrable, initially=initially)
        )

    def sql(self) -> str:
        later = " DEFERRABLE" if self.deferrable else ""
        if self.initially is not None:
            later += f" INITIALLY {self.initially}"
        return (
            f"ALTER TABLE {quoted(self.table_name)} ADD CONSTRAINT {quoted(self.constraint_name)} "
            f"{self.kind} USING INDEX {quoted(self.index_name)}{later}"
        )


@Operations.register_operation("create_primary_key_using_index")
class PrimaryKeyUsingIndex(UniqueUsingIndex):
    """A primary key that takes over a unique index."""

    kind = "PRIMARY KEY"

    @classmethod
    def create_primary_key_using_index(
        cls,
        operations: Operations,
        constraint_name: str,
        table_name: str,
        index_name: str,
        *,
        deferrable: bool = False,
        initially: str | None = None,
    ) -> None:
        """Add a primary key by a unique index. It scans the table for nulls in nullable columns."""
        operations.invoke(
            cls(constraint_name, table_name, index_name, deferrable=deferrable, initially=initially)
        )


@Operations.register_operation("validate_constraint")
class ValidateConstraint(_OnConstraint):
    """The validation of a constraint that was added NOT VALID."""

    @classmethod
    def validate_constraint(
        cls, operations: Operations, constraint_name: str, table_name: str
    ) -> None:
        """Check the rows that are older than the constraint; readers and writers go on."""
        operations.invoke(cls(constraint_name, table_name))

    def sql(self) -> str:
        return (
            f"ALTER TABLE {quoted(self.table_name)} "
            f"VALIDATE CONSTRAINT {quoted(self.constraint_name)}"
        )
