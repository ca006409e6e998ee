"""Operations that make a constraint of what is there already, and prove one that was promised.

    op.create_unique_constraint_using_index("uq_jobs_ref", "jobs", "uq_jobs_ref")
    op.create_primary_key_using_index("pk_jobs", "jobs", "pk_jobs")
    op.validate_constraint("ck_jobs_rank", "jobs")

Importing this module registers them. Each is one plain statement, so `--sql` writes what runs.
"""

from __future__ import annotations

from typing import Any

from alembic.operations import MigrateOperation, Operations

from surefoot.operations.enums import verbatim
from surefoot.quoting import quoted


class _Plain(MigrateOperation):
    """An operation that is one statement on one table."""

    def __init__(self, constraint_name: str, table_name: str) -> None:
        self.constraint_name, self.table_name = constraint_name, table_name

    def sql(self) -> str:
        """The statement."""
        raise NotImplementedError

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """What `alembic check` reports."""
        return ("execute", self.sql())


@Operations.register_operation("create_unique_constraint_using_index")
class UniqueUsingIndex(_Plain):
    """A unique constraint of a unique index that is there."""

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
        """Make a unique constraint of a unique index; a change of the catalogue, reading no row.

        The index is the constraint's from then on: dropping the one drops the other.
        """
        operations.invoke(
            cls(constraint_name, table_name, index_name, deferrable=deferrable, initially=initially)
        )

    def sql(self) -> str:
        """The statement."""
        later = " DEFERRABLE" if self.deferrable else ""
        if self.initially is not None:
            later += f" INITIALLY {self.initially}"
        return (
            f"ALTER TABLE {quoted(self.table_name)} ADD CONSTRAINT {quoted(self.constraint_name)} "
            f"{self.kind} USING INDEX {quoted(self.index_name)}{later}"
        )


@Operations.register_operation("create_primary_key_using_index")
class PrimaryKeyUsingIndex(UniqueUsingIndex):
    """A primary key of a unique index that is there."""

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
        """Make a primary key of a unique index. Columns that may be null are read to the end."""
        operations.invoke(
            cls(constraint_name, table_name, index_name, deferrable=deferrable, initially=initially)
        )


@Operations.register_operation("validate_constraint")
class ValidateConstraint(_Plain):
    """A constraint that was added NOT VALID, proven for the rows that were there."""

    @classmethod
    def validate_constraint(
        cls, operations: Operations, constraint_name: str, table_name: str
    ) -> None:
        """Read the rows that a constraint was not checked against; readers and writers go on."""
        operations.invoke(cls(constraint_name, table_name))

    def sql(self) -> str:
        """The statement."""
        return (
            f"ALTER TABLE {quoted(self.table_name)} "
            f"VALIDATE CONSTRAINT {quoted(self.constraint_name)}"
        )


@Operations.implementation_for(UniqueUsingIndex)
@Operations.implementation_for(PrimaryKeyUsingIndex)
@Operations.implementation_for(ValidateConstraint)
def _run(operations: Operations, operation: _Plain) -> None:
    operations.execute(verbatim(operation.sql()))
