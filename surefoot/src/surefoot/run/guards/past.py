"""Past answers questions about the database as it was before the running revision.

A cursor keeps the snapshot of the moment in which it was opened, and a function that it calls sees
the same rows. So nothing is read beforehand: a question is asked when its answer is needed. The
rows of a dropped or rewritten table cannot be read: PostgreSQL cannot open its file any more.
"""

import json
from typing import Any

from sqlalchemy import Connection

from surefoot.quoting import literal

# ts_stat() runs a query that is known only later. No other function of every PostgreSQL does that
# without creating one. Its answers are words of up to 2,046 bytes.
_OPEN = """
DECLARE surefoot_past NO SCROLL CURSOR FOR
SELECT (SELECT json_agg(word::json)
        FROM pg_catalog.ts_stat(current_setting('surefoot.question') || left(n::text, 0)))::text
FROM generate_series(1, 1000) n
"""
_QUESTION = "SELECT array_to_tsvector(ARRAY[answer::text]) FROM ({}) AS q (answer)"


class Past:
    """The state before a revision, in its transaction. A question is a query of one JSON column.

    It sees what the role of the session may see.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self) -> None:
        """A revision is about to begin; the transaction begins here where none is open."""
        self._connection.exec_driver_sql(_OPEN)

    def end(self) -> None:
        """The revision has run: run its deferred constraints and triggers, which count too."""
        self._connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")

    def now(self, question: str, *, then: str = "SELECT NULL::json") -> Any:
        """The answers as the transaction sees the database now; `then` is the next for `before`."""
        asked = literal(_QUESTION.format(then))
        return self._answers(
            f"SELECT json_agg(answer)::text, set_config('surefoot.question', {asked}, true) "  # noqa: S608 - of the library
            f"FROM ({question}) AS q (answer)"
        )

    def before(self) -> Any:
        """The answers from before the revision."""
        return self._answers("FETCH surefoot_past")

    def _answers(self, query: str) -> Any:
        return json.loads(self._connection.exec_driver_sql(query).scalar() or "[]")
