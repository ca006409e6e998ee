"""Target is a database that has a name, and the project whose revisions it gets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.chain.version_table import VersionTable
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
    # As the project's environment says; catalogs and traces leave its tables out.
    version_table: VersionTable = VersionTable()

    @classmethod
    def of(
        cls,
        engine: AsyncEngine,
        ini: Path | str = DEFAULT_INI,
        limits: Limits | None = None,
        version_table: VersionTable = VersionTable(),
    ) -> Target:
        """The engine's database under its own name."""
        return cls(engine.url.database or "(default)", engine, Path(ini), limits, version_table)
