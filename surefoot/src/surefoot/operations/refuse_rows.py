"""An operation that stops a revision where a table has certain rows.

    op.refuse_rows("files", "size IS NOT NULL AND size_new IS NULL", "fill files.size_new")

Importing this module registers it.
"""

from __future__ import annotations

from alembic.operations import Operations

from surefoot.operations.statement import StatementOperation
from surefoot.quoting import literal, quoted


@Operations.register_operation("refuse_rows")
class RefuseRows(StatementOperation):
    """Stops a revision where a table has rows that meet a condition."""

    def __init__(self, table_name: str, condition: str, hint: str) -> None:
        self.table_name, self.condition, self.hint = table_name, condition, hint

    @classmethod
    def refuse_rows(
        cls, operations: Operations, table_name: str, condition: str, hint: str
    ) -> None:
        """Stop where a row of the table meets the condition. The search ends at the first such row.

        It blocks neither readers nor writers, so put it first in the revision. On failure: a check
        violation that names table, condition and `hint`; nothing has changed.
        """
        operations.invoke(cls(table_name, condition, hint))

    def sql(self) -> str:
        message = literal(f"{self.table_name} has rows for which {self.condition}")
        return (
            "DO $refuse_rows$\nBEGIN\n"
            f"    IF EXISTS (SELECT FROM {quoted(self.table_name)} WHERE {self.condition}) THEN\n"
            "        RAISE EXCEPTION USING ERRCODE = 'check_violation',\n"
            f"            MESSAGE = {message},\n"
            f"            HINT = {literal(self.hint)};\n"
            "    END IF;\nEND\n$refuse_rows$"
        )
