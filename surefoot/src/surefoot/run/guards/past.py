"""Past answers questions about the database as it was before the running revision.

A cursor keeps the snapshot of the moment in which it was opened, and a function that it calls sees
the same rows. So nothing is read beforehand: the questions are asked when the answers are needed.
Not answered is what a dropped or rewritten table held, because PostgreSQL cannot open it any more.
"""

import json
from typing import Any

from sqlalchemy import Connection

from surefoot.quoting import literal

# ts_stat() runs a query that is known only later. It is the one function of PostgreSQL that does so
# on every server; the alternative is a function that each run creates.
_OPEN = """
DECLARE surefoot_past NO SCROLL CURSOR FOR
SELECT (SELECT json_agg(word::json)
        FROM pg_catalog.ts_stat(current_setting('surefoot.question') || left(n::text, 0)))::text
FROM generate_series(1, 10) n
"""
_QUESTION = "SELECT array_to_tsvector(ARRAY[answer::text]) FROM ({}) AS q (answer)"
_ANSWER = "SELECT json_agg(answer)::text FROM ({}) AS q (answer)"


class Past:
    """The state before a revision, in its transaction. A question is a query of one JSON column.

    An answer has up to 2,000 characters. It sees what the role of the session may see.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self) -> None:
        """A revision is about to begin; the transaction begins here where none is open."""
        self.rows(_OPEN)

    def before(self, question: str) -> list[Any]:
        """The answers from before the revision."""
        asked = literal(_QUESTION.format(question))
        self.rows(f"SELECT set_config('surefoot.question', {asked}, true)")
        return self._answers("FETCH surefoot_past")

    def now(self, question: str) -> list[Any]:
        """The answers as the transaction sees the database now."""
        return self._answers(_ANSWER.format(question))

    def rows(self, query: str) -> list[Any]:
        """The rows of a query. No listener takes it for a statement of the revision."""
        cursor = self._connection.connection.cursor()
        try:
            cursor.execute(query)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()

    def _answers(self, query: str) -> list[Any]:
        ((found,),) = self.rows(query)
        return list(json.loads(found)) if found else []
