"""ExpectedRows are rows of one table that a statement is expected to reach on a database."""

from surefoot.frozen import dataclass
from surefoot.wording import roughly

# A statement that changes or writes more rows is work, whatever else it does.
MANY_ROWS = 10_000


@dataclass(frozen=True)
class ExpectedRows:
    """Rows of the table that a statement reads or changes there, by the database's statistics."""

    table: str
    # insert, update, delete, merge, lock or read.
    action: str
    rows: int
    # The node of the plan that finds them, or the foreign key that takes them along.
    by: str

    @property
    def is_change(self) -> bool:
        """Whether rows are updated or deleted."""
        return self.action in ("update", "delete", "merge")

    def __str__(self) -> str:
        return f"{self.action} {roughly(self.rows, 'row')} of {self.table} by {self.by}"
