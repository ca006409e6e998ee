"""Past answers questions about the database as it was before the running revision.

A cursor keeps the snapshot of the moment in which it was opened, and a function that it calls sees
the same rows. So nothing is read beforehand: a question is asked when its answer is needed. The
rows of a dropped or rewritten table cannot be read: PostgreSQL cannot open its file any more.
"""

import json
from typing import Any

from sqlalchemy import Connection

from surefoot.quoting import literal
from surefoot.run.question import ask

# ts_stat() runs a query that is known only later. No other function of every PostgreSQL does that
# without creating one. Its answers are words of up to 2,046 bytes.
_OPEN = """
DECLARE surefoot_past NO SCROLL CURSOR FOR
SELECT (SELECT json_agg(word::json)
        FROM pg_catalog.ts_stat(current_setting('surefoot.question') || left(n::text, 0)))::text
FROM generate_series(1, 1000) n
"""
_QUESTION = "SELECT array_to_tsvector(ARRAY[answer::text]) FROM ({}) AS q (answer)"
# A query cannot read a cursor, a block can.
_FETCH = """
DO $$
DECLARE
    past refcursor := 'surefoot_past';
    answer text;
BEGIN
    IF pg_current_xact_id_if_assigned() = '{identity}' THEN
        FETCH past INTO answer;
        PERFORM set_config('surefoot.answer', coalesce(answer, '[]'), true);
    END IF;
END $$
"""
# The answer of before, in a query of now; NULL where the transaction has ended.
ANSWER = "nullif(current_setting('surefoot.answer', true), '')"
# Deferred constraints and triggers change data, too. asyncpg sends UTF-8, and a later question has
# the names of columns.
_END = "SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL client_encoding = 'UTF8'"


class Past:
    """The state before a revision, in its transaction. A question is a query of one JSON column.

    It sees what the role of the session may see.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._fetch = ""

    def begin(self, question: str, *settings: str) -> tuple[str, Any]:
        """A revision is about to begin: the id of its transaction, and an answer of now."""
        identity, answers = self._ask(
            *settings,
            _OPEN,
            f"SELECT json_build_array(pg_current_xact_id()::text, ({_all(question)}))::text",
        )
        self._fetch = _FETCH.format(identity=identity)
        return identity, answers or []

    def end(self, then: str, question: str) -> tuple[Any, Any]:
        """The revision has run: the answers from before it and, to another question, of now.

        None for the first where the transaction has ended.
        """
        before, now = self._ask(
            _END,
            _asking(then),
            self._fetch,
            f"SELECT json_build_array({ANSWER}::json, ({_all(question)}))::text",
        )
        return before, now or []

    def now(self, question: str, *, then: str | None = None) -> Any:
        """The answers as the transaction sees the database now; `then` is the next for `before`."""
        first = () if then is None else (_asking(then),)
        return self._ask(*first, f"SELECT ({_all(question)})::text") or []

    def before(self) -> Any:
        """The answers from before the revision."""
        return self._ask(self._fetch, f"SELECT {ANSWER}")

    def _ask(self, *statements: str) -> Any:
        return json.loads(ask(self._connection, *statements) or "null")


def _asking(question: str) -> str:
    return f"SET LOCAL surefoot.question = {literal(_QUESTION.format(question))}"


def _all(question: str) -> str:
    return f"SELECT json_agg(answer) FROM ({question}) AS q (answer)"  # noqa: S608 - of the library
