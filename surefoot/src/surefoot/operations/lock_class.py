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


def lock_class(statement: str) -> LockClass:
    """`patient` where neither readers nor writers queue behind the statement, else `short`.

    An unknown statement is short, which protects the service.
    """
    return "patient" if _PATIENT.match(without_comments(statement)) else "short"


def without_comments(statement: str) -> str:
    while (stripped := _COMMENT.sub("", statement)) != statement:
        statement = stripped
    return statement
