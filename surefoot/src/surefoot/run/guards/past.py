"""Past answers questions about the database as it was before the running revision.

A cursor keeps the snapshot of the moment in which it was opened, and a function that it calls sees
the same rows. So nothing is read beforehand: a question is asked when its answer is needed. Not
answered is what a dropped or rewritten table held, because PostgreSQL cannot open it any more.
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
_ANSWERS = "SELECT json_agg(answer)::text FROM ({}) AS q (answer)"


class Past:
    """The state before a revision, in its transaction. A question is a query of one JSON column.

    It sees what the role of the session may see.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self) -> None:
        """A revision is about to begin; the transaction begins here where none is open."""
        self._run(_OPEN)

    def before(self, question: str) -> Any:
        """The answers from before the revision."""
        asked = literal(_QUESTION.format(question))
        self._run(f"SELECT set_config('surefoot.question', {asked}, true)")
        return json.loads(self._run("FETCH surefoot_past") or "[]")

    def now(self, question: str) -> Any:
        """The answers as the transaction sees the database now."""
        return json.loads(self._run(_ANSWERS.format(question)) or "[]")

    def _run(self, query: str) -> Any:
        """The one value of a query. No listener takes it for a statement of the revision."""
        cursor = self._connection.connection.cursor()
        try:
            cursor.execute(query)
            rows = cursor.fetchall() if cursor.description else ()
            return rows[0][0] if rows else None
        finally:
            cursor.close()
