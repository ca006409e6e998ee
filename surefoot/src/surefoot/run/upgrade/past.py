"""PastRevision follows a revision of the past that may leave its transaction.

Every change that it sends is counted. Before a commit the ledger gets a row that says how many of
them are kept from then on, and which they are. A later attempt does not send these again, where
the revision still sends the same ones. A query is sent again: the Python of the revision needs it.
"""

import hashlib
import re
from collections.abc import Callable

from surefoot.errors import PartlyApplied
from surefoot.operations.lock_class import without_comments
from surefoot.run.upgrade.outcome import NOTHING

# It reads, gives rows to the revision, and may be sent again.
_READS = re.compile(r"\s*(?:SELECT|SHOW|VALUES|TABLE|EXPLAIN)\b", re.IGNORECASE)
# It changes something and gives rows: without sending it again they are not to be had.
_ANSWERS = re.compile(r"\s*WITH\b|.*\bRETURNING\b", re.IGNORECASE | re.DOTALL)
_ENDS = re.compile(
    r"\s*(?:COMMIT|END|ROLLBACK|ABORT|BEGIN|START|SAVEPOINT|RELEASE)\b", re.IGNORECASE
)
_ROW = re.compile(r"left its transaction; changes that are kept: (\d+) \((\w+)\)")
_UNREPEATABLE = "unrepeatable"
# Sent in place of a change that is kept.
NOTHING_SENT = "SELECT WHERE false"


class PastRevision:
    """The changes of one revision: those that it has sent, and those that are kept."""

    def __init__(self, revision: str, begun: str | None, write: Callable[[str], object]) -> None:
        self._revision, self._write = revision, write
        # Whether it has left its transaction, in this attempt or in one before.
        self.left = False
        self._sent, self._digest = 0, hashlib.sha256()
        self._answers = False
        found = _ROW.match(begun or "")
        self._kept, self._known = (int(found[1]), found[2]) if found else (0, "")

    def sends(self, statement: str, parameters: object) -> bool:
        """Count a statement; False where an attempt before it has done it.

        On failure: PartlyApplied, where it is not known which changes are kept.
        """
        code = without_comments(statement)
        if _READS.match(code) or _ENDS.match(code):
            return True
        self._sent += 1
        self._digest.update(f"{statement}\n{parameters!r}\n".encode("utf-8", "surrogatepass"))
        self._answers = self._answers or bool(_ANSWERS.match(code))
        if self._sent == self._kept and self._name() != self._known:
            raise PartlyApplied(self._revision, self._kept)
        return self._sent > self._kept

    def leaves(self) -> None:
        """What it has sent is kept from now on, or was kept just now."""
        if self._sent > self._kept or not self._known:
            self._kept, self._known = self._sent, self._name()
            told = f"{self._kept} ({self._known})"
            self._write(f"left its transaction; changes that are kept: {told}")
        self.left = True

    def ends(self) -> None:
        """Its function has run. On failure: PartlyApplied, where it sent less than is kept."""
        if self._sent < self._kept:
            raise PartlyApplied(self._revision, self._kept)

    def kept(self) -> str:
        """The part that is kept, in words for an error."""
        first = "first change" if self._kept == 1 else f"first {self._kept} changes"
        return f"its {first}, and perhaps the next" if self._kept else NOTHING

    def _name(self) -> str:
        return _UNREPEATABLE if self._answers else self._digest.hexdigest()[:32]
