"""Target is a database that has a name, and the project whose revisions it gets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.connect.limits import Limits
from surefoot.project import DEFAULT_INI

# Opens an empty database that may be filled, and is gone after the block.
Scratch = Callable[[], AbstractAsyncContextManager[AsyncEngine]]


@dataclass(frozen=True)
class Target:
    """A database to migrate, and the ini file that names its revisions."""

    name: str
    engine: AsyncEngine
    ini: Path = Path(DEFAULT_INI)
    # None: as the project's environment says.
    limits: Limits | None = None

    @classmethod
    def of(
        cls, engine: AsyncEngine, ini: Path | str = DEFAULT_INI, limits: Limits | None = None
    ) -> Target:
        """The engine's database under its own name."""
        return cls(engine.url.database or "(default)", engine, Path(ini), limits)
