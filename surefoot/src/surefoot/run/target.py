"""Target is one database: a name and an engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.run.limits import Limits

# Opens an empty database that may be filled, and is gone after the block.
Scratch = Callable[[], AbstractAsyncContextManager[AsyncEngine]]

# Beside the package that holds this one, as in a checkout.
DEFAULT_INI = Path(__file__).resolve().parents[4] / "alembic.ini"


@dataclass(frozen=True)
class Target:
    """A database to migrate, and the alembic.ini that names its revisions."""

    name: str
    engine: AsyncEngine
    ini: Path = DEFAULT_INI
    limits: Limits | None = None  # as the settings say

    @classmethod
    def of(
        cls, engine: AsyncEngine, ini: Path = DEFAULT_INI, limits: Limits | None = None
    ) -> Target:
        """The engine's database under its own name."""
        return cls(engine.url.database or "(default)", engine, ini, limits)
