"""Target is a database that has a name, and the project whose revisions it gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from surefoot.connect.database import refuse_other_drivers
from surefoot.connect.limits import Limits
from surefoot.project import DEFAULT_INI, Project
from surefoot.version_table import VersionTable

# Opens an empty database that may be filled, and is gone after the block.
Scratch = Callable[[], AbstractAsyncContextManager[AsyncEngine]]


@dataclass(frozen=True)
class Target:
    """A database to migrate, and the ini file that names its revisions.

    Example:
        target = Target.of(database.engine("migrate"), "alembic.ini")
        print(target.name)
    """

    name: str
    engine: AsyncEngine
    ini: Path = Path(DEFAULT_INI)
    # None: as the project's environment says.
    limits: Limits | None = None
    # As the project's environment says; catalogs and traces leave its tables out.
    version_table: VersionTable = VersionTable()
    schemas: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        engine: AsyncEngine,
        project: Project | Path | str = DEFAULT_INI,
        limits: Limits | None = None,
    ) -> Target:
        """The engine's database under its own name; a project may be named by its ini file.

        On failure: ConfigurationInvalid, where the engine is not one of asyncpg.
        """
        refuse_other_drivers(engine, "Target.of(engine)")
        name = engine.url.database or "(default)"
        if isinstance(project, Project):
            return cls(name, engine, project.ini, limits, project.version_table, project.schemas)
        return cls(name, engine, Path(project), limits)
