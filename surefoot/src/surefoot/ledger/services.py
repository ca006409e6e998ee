"""A running service announces the revision of its code.

It holds a shared advisory lock whose number stands for that revision, in a session of its own. The
server releases the lock when the session ends, so a killed process leaves the list at once. Nothing
is written, and any role may do it. Behind a pooler the lock would stay in a session that others
use, so a service there does not announce itself.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from surefoot.chain.revisions import Revision, ancestors
from surefoot.frozen import dataclass

_ANNOUNCE = "SELECT pg_try_advisory_lock_shared({space}, {number})"
_LIVING = """
SELECT l.objid::bigint, l.pid, coalesce(a.application_name, ''), a.backend_start
FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.classid = {space}
ORDER BY a.backend_start, l.pid
"""


@dataclass(frozen=True)
class Service:
    """A running service; `revision` is None where this build does not know its number.

    Of several heads it has all.
    """

    revision: str | None
    pid: int
    application: str
    since: datetime | None

    def __str__(self) -> str:
        return f"{self.application or 'a service'} (backend {self.pid}) at {self.revision or '?'}"


def announce(connection: Connection, revision: str) -> bool:
    """Announce the revision of this session's code; False where the session is a pooler's.

    Of several heads, as a `Build` names them, each has a lock of its own.
    """
    driver = connection.connection.driver_connection
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    if driver is None or driver.get_server_pid() != pid:
        return False
    space = _number("services")
    each = [_ANNOUNCE.format(space=space, number=_number(head)) for head in revision.split(", ")]
    return all(connection.exec_driver_sql(sql).scalar() for sql in each)


def living(connection: Connection, revisions: Sequence[Revision]) -> tuple[Service, ...]:
    """The services that have announced themselves, oldest first."""
    known = {_number(revision.id): revision.id for revision in revisions}
    rows = connection.exec_driver_sql(_LIVING.format(space=_number("services"))).all()
    heads: dict[int, set[str]] = {}
    for number, pid, *_ in rows:
        heads.setdefault(pid, set()).add(known.get(number, ""))
    # With one that is unknown it is of a newer build, whichever others that knows.
    at = {pid: None if "" in ids else ", ".join(sorted(ids)) for pid, ids in heads.items()}
    return tuple({pid: Service(at[pid], pid, *rest) for _, pid, *rest in rows}.values())


def intolerant(
    services: Iterable[Service], revisions: Sequence[Revision], contract: Revision
) -> tuple[Service, ...]:
    """The services whose code does not work after the contract revision.

    Without `requires_code` the revision needs code of its own revision. A service at an unknown
    revision is of a newer build.
    """
    needed = contract.requires_code or contract.id
    return tuple(
        service
        for service in services
        if service.revision is not None
        and needed not in ancestors(revisions, service.revision.split(", "))
    )


def _number(name: str) -> int:
    """A key of 31 bits, which is the same number signed and as an oid."""
    return int.from_bytes(hashlib.sha256(f"alembic:{name}".encode()).digest()[:4], "big") >> 1
