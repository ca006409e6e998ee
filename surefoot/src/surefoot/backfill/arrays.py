"""Arrays hold the values of a column, one of each row; arrays of arrays take a detour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surefoot.frozen import dataclass
from surefoot.quoting import qualified

# A table of a session whose type is a row of one value.
_BOX = "pg_temp.surefoot_box_"


@dataclass(frozen=True)
class Arrays:
    """How the values of some columns of a table are put into arrays.

    PostgreSQL makes an array of arrays one array with another dimension. So such a value, and one
    whose type has no plain text, is put into a row of one value first.
    """

    # As of a `Key`.
    kinds: Mapping[str, tuple[str, bool]]
    columns: Sequence[str]

    @property
    def boxed(self) -> Sequence[str]:
        """The columns whose values are rows of one value there."""
        return [name for name in self.columns if not self.kinds.get(name, ("", True))[1]]

    @property
    def creation(self) -> str:
        """Create what a session needs for these; nothing, for most tables."""
        return "; ".join(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {self._box(name)} (value {self.kinds[name][0]})"
            for name in self.boxed
        )

    def type_of(self, name: str) -> str:
        """The type of the array; unnest() in FROM gives the value of a row of one value."""
        # That a column is not there is an error of the server's.
        kind = self.kinds.get(name, ("text", True))[0]
        return f"{self._box(name) if name in self.boxed else kind}[]"

    def packed(self, name: str) -> str:
        """The value of a column, as it is put into an array."""
        column = qualified(name)
        return f"ROW({column})::{self._box(name)}" if name in self.boxed else column

    def _box(self, name: str) -> str:
        return f"{_BOX}{self.boxed.index(name)}"
