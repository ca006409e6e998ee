"""lock_class() says whether readers and writers queue behind a statement that waits for a lock."""

import re
from typing import Literal

LockClass = Literal["short", "patient"]

# SHARE UPDATE EXCLUSIVE: readers and writers pass; only vacuum and other DDL wait behind it.
_PATIENT = re.compile(
    r"""^\s*(?:
        (?:CREATE\s+(?:UNIQUE\s+)?|DROP\s+)INDEX\s+CONCURRENTLY\b
      | REINDEX\b.*\bCONCURRENTLY\b
      | REFRESH\s+MATERIALIZED\s+VIEW\s+CONCURRENTLY\b
      | ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?\S+\s+VALIDATE\s+CONSTRAINT\s+\S+\s*;?\s*$
      | ANALYZE\b | VACUUM\s+(?!FULL|\(\s*FULL)
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_COMMENT = re.compile(r"^\s*(?:--[^\n]*\n|/\*.*?\*/)", re.DOTALL)
_PLAIN = re.compile(
    r"\s*(?:ALTER|COMMENT|CREATE|DELETE|DROP|GRANT|INSERT|REVOKE|UPDATE)\b", re.IGNORECASE
)
_ENDS_A_TRANSACTION = re.compile(
    r"\s*(?:COMMIT|END|ROLLBACK|ABORT|PREPARE\s+TRANSACTION)\b(?!\s+TO\b)", re.IGNORECASE
)


def lock_class(statement: str) -> LockClass:
    """`patient` where neither readers nor writers queue behind the statement, else `short`.

    An unknown statement is short, which protects the service.
    """
    return "patient" if _PATIENT.match(without_comments(statement)) else "short"


def without_comments(statement: str) -> str:
    while (stripped := _COMMENT.sub("", statement)) != statement:
        statement = stripped
    return statement


def ends_transaction(statement: str) -> str | None:
    """The first words of a statement that ends a transaction; None for another statement."""
    found = _ENDS_A_TRANSACTION.match(without_comments(statement))
    return found and found[0].upper()


def sets_nothing(statement: str) -> bool:
    """Whether a statement is of a kind that changes no setting of its session by itself."""
    return _PLAIN.match(without_comments(statement)) is not None
