"""An operation that looks at rows before anything is lost with them.

    op.refuse_rows("files", "size IS NOT NULL AND size_new IS NULL", "fill files.size_new")

Importing this module registers it. It is one plain statement, so `--sql` writes what runs.
"""

from __future__ import annotations

from typing import Any

from alembic.operations import MigrateOperation, Operations

from surefoot.operations.enums import verbatim
from surefoot.quoting import literal, quoted


@Operations.register_operation("refuse_rows")
class RefuseRows(MigrateOperation):
    """A revision that does not go on where a table has rows of some kind."""

    def __init__(self, table_name: str, condition: str, hint: str) -> None:
        self.table_name, self.condition, self.hint = table_name, condition, hint

    @classmethod
    def refuse_rows(
        cls, operations: Operations, table_name: str, condition: str, hint: str
    ) -> None:
        """Stop where a row meets the condition; the first that is found ends the look.

        It locks nobody out, so it comes first in its revision. On failure: a check violation
        that names table, condition and `hint`; nothing has changed.
        """
        operations.invoke(cls(table_name, condition, hint))

    def sql(self) -> str:
        """The statement."""
        message = literal(f"{self.table_name} has rows for which {self.condition}")
        return (
            "DO $refuse_rows$\nBEGIN\n"
            f"    IF EXISTS (SELECT FROM {quoted(self.table_name)} WHERE {self.condition}) THEN\n"
            "        RAISE EXCEPTION USING ERRCODE = 'check_violation',\n"
            f"            MESSAGE = {message},\n"
            f"            HINT = {literal(self.hint)};\n"
            "    END IF;\nEND\n$refuse_rows$"
        )

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """What `alembic check` reports."""
        return ("execute", self.sql())


@Operations.implementation_for(RefuseRows)
def _run(operations: Operations, operation: RefuseRows) -> None:
    operations.execute(verbatim(operation.sql()))
