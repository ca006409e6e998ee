"""Whether a database is one developer's alone: reasons why it may not be."""

from collections.abc import Iterable, Iterator, Mapping

from surefoot.connect.database import Database
from surefoot.ledger.services import Service
from surefoot.ledger.table import Row

# So many of a kind are told.
_TOLD = 3


def of_configuration(database: Database, targets: Mapping[str, Database]) -> Iterator[str]:
    """Reasons in the settings: production, or a target by its name."""
    if database.limits.production:
        yield "its environment is production"
    place = _place(database)
    for name, target in targets.items():
        if place is not None and _place(target) == place:
            yield f"it is the target {name}"


def of_services(services: Iterable[Service]) -> Iterator[str]:
    """The services that are running on it."""
    for each in [*services][:_TOLD]:
        yield f"a service runs on it: {each}"


def of_others(rows: Iterable[Row], me: str) -> Iterator[str]:
    """The revisions of its ledger that somebody else has run, on whichever machine."""
    others: dict[str, str] = {}
    for row in rows:
        if row.actor and row.person != me:
            others[row.person] = row.revision
    for name, revision in [*others.items()][:_TOLD]:
        yield f"{name} has run {revision} on it"


def _place(database: Database) -> tuple[str, str | None] | None:
    """Host, port and name; None for the embedded server."""
    if not database.is_named:
        return None
    url = database.location("migrate")
    return url.address, url.database
