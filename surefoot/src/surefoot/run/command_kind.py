"""kind_of() decides what a command may do to the database, by the function that it hands over.

Each Alembic command hands its environment a function, `context.get_context().opts["fn"]`. A command
that is known to read only runs without mutex, ledger and guards, and can run no revision. Any other
function, such as a project's own, runs as a protected upgrade.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

Kind = Literal["reads", "upgrade", "downgrade", "stamp", "unknown"]

# The public functions of alembic.command, which define what they hand over.
_KINDS: dict[str, Kind] = {
    "upgrade": "upgrade",
    "downgrade": "downgrade",
    "stamp": "stamp",
    "check": "reads",
    "current": "reads",
    "edit": "reads",
    "ensure_version": "reads",
    "history": "reads",
    "revision": "reads",
    "show": "reads",
}


def kind_of(function: Callable[..., Any] | None) -> Kind:
    """The kind of command that handed over the function; no function reads."""
    if function is None:
        return "reads"
    if getattr(function, "__module__", "") != "alembic.command":
        return "unknown"
    command, *inner = getattr(function, "__qualname__", "").split(".")
    return _KINDS.get(command, "unknown") if inner[:1] == ["<locals>"] else "unknown"
