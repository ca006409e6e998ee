"""The rows of the ledger about revisions that a squash has applied as one."""

import socket
from collections.abc import Iterator, Sequence

from surefoot.chain.revisions import Revision
from surefoot.errors.disclosure import disclosed
from surefoot.ledger.appending import Timed, several_sql
from surefoot.ledger.table import Entry, Ledger
from surefoot.ledger.writer import os_user, storable
from surefoot.quoting import literal

_ACTOR = """jsonb_build_object('database_user', session_user, 'os_user', {user}::text,
    'host', {host}::text, 'application', current_setting('application_name'),
    'transaction', pg_current_xact_id()::text)"""
_STARTED_S = "extract(epoch FROM now())"
_FINISHED_S = "extract(epoch FROM clock_timestamp())"


def squashed_sql(
    ledger: Ledger,
    revisions: Sequence[Revision],
    *,
    build: str,
    note: str,
    reason: str | None,
    encoding: str,
) -> Iterator[str]:
    """The statements that append a row for each of the revisions, in the current transaction.

    Each has the note, which says by which squash; the encoding is that of the database.
    """
    reason = reason and storable(disclosed(reason), encoding)
    rows = [
        Timed(
            Entry(
                each.id,
                "upgrade",
                each.phase,
                "applied",
                each.sha256,
                build=build,
                error=note,
                reason=reason,
                requires_code=each.requires_code,
            ),
            _STARTED_S,
            _FINISHED_S,
        )
        for each in revisions
    ]
    user, host = (literal(storable(each, encoding)) for each in (os_user(), socket.gethostname()))
    return several_sql(ledger, rows, _ACTOR.format(user=user, host=host))
