"""Project is one folder of revisions, and all that Alembic's configuration says of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from configparser import ConfigParser, Error
from dataclasses import dataclass, field, replace
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from surefoot.chain.lockfile import baseline, check_lock, is_written_from, read_lock
from surefoot.chain.revisions import Revision, read_revisions, source_files, with_past
from surefoot.errors import ConfigurationInvalid, ModelsNotImportable, SurefootError
from surefoot.errors.names import command
from surefoot.version_table import VersionTable

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import MetaData

    from surefoot.startup.check import Build

DEFAULT_INI = "alembic.ini"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Project:
    """The revisions of one application: their folder, their lock file and their version table.

    On failure: ConfigurationInvalid where the ini file cannot be read.

    Example:
        project = Project.read("alembic.ini")
        print(project.versions, project.lock, [r.id for r in project.revisions()])
    """

    ini: Path
    # script_location: the folder of env.py, script.py.mako and revisions.lock.
    folder: Path
    # The folder of the revision files.
    versions: Path
    # recursive_version_locations: whether folders in it hold revisions too.
    recursive: bool = False
    version_table: VersionTable = VersionTable()
    # The schemas of the application, its own first; without a name the one that new objects get.
    schemas: Sequence[str] = ()
    # MetaData, or import strings that lead to it: "shop.models:metadata".
    metadata: Sequence[MetaData | str] = field(default=(), repr=False)

    @classmethod
    def read(cls, ini: Path | str = DEFAULT_INI, **options: Any) -> Project:
        """The project of an ini file, read without Alembic: a service that starts does not load it.

        `options` are the fields that the file does not hold. On failure: ConfigurationInvalid.
        """
        path = Path(ini).resolve()
        parser = ConfigParser({"here": str(path.parent)})
        try:
            with path.open(encoding="utf-8") as opened:
                parser.read_file(opened)
            folder = Path(path.parent, parser.get("alembic", "script_location"))
            listed = parser.get("alembic", "version_locations", fallback="")
            recursive = parser.getboolean("alembic", "recursive_version_locations", fallback=False)
        except (OSError, ValueError, Error) as error:
            raise ConfigurationInvalid(str(path), str(error)) from None
        versions = Path(path.parent, listed) if listed else folder / "versions"
        return cls(path, folder, versions, recursive, **options)

    @classmethod
    def of(cls, config: Config, **options: Any) -> Project:
        """The project of Alembic's own configuration, wherever that was read from."""
        from alembic.script import ScriptDirectory  # noqa: PLC0415 - a service does without

        script = ScriptDirectory.from_config(config)
        ini = Path(config.config_file_name or DEFAULT_INI).resolve()
        folder, versions = Path(script.dir).resolve(), Path(script.versions).resolve()
        return cls(ini, folder, versions, script.recursive_version_locations, **options)

    @property
    def lock(self) -> Path:
        """The file that lists the revisions with their checksums: revisions.lock."""
        return self.versions.parent / "revisions.lock"

    def revisions(self) -> tuple[Revision, ...]:
        """The revision files in the order in which they apply. On failure: RevisionsBroken.

        Without a revisions.lock all of them are taken for the past, judged by nobody.
        """
        found = read_revisions(self.versions, recursive=self.recursive)
        if not self.lock.exists():
            return tuple(replace(each, past=True, unlocked=True) for each in found)
        return with_past(found, baseline(self.lock))

    def is_locked(self) -> bool:
        """Whether revisions.lock was written from the revision files as they are, byte by byte.

        On failure: RevisionsBroken.
        """
        return self.lock.exists() and is_written_from(
            self.lock, source_files(self.versions, recursive=self.recursive)
        )

    def locked(self) -> tuple[Revision, ...]:
        """The revisions as revisions.lock lists them, or else as their files are.

        On failure: RevisionsBroken.
        """
        return read_lock(self.lock) if self.lock.exists() else self.revisions()

    def lock_missing(self) -> str:
        """In one line, which file a project without revisions.lock lacks; empty with one."""
        if self.lock.exists():
            return ""
        return f"there is no {self.lock}, so no revision is judged: `{command()} adopt` writes it"

    def check_lock(self, revisions: Sequence[Revision]) -> None:
        """Compare revisions.lock, where there is one, with the files. On failure: LockFileStale."""
        if self.lock.exists():
            check_lock(self.lock, revisions)

    def build(self) -> Build:
        """The revisions of this build, for the start-up check. On failure: RevisionsBroken.

        They are read from revisions.lock, or else from their files, with a warning in the log.
        """
        from surefoot.startup.check import Build  # noqa: PLC0415 - the check is an upper room

        if missing := self.lock_missing():
            _log.warning("%s", missing)
            return Build.of(self.revisions(), self.version_table, self.schemas)
        return Build.read(self.lock, self.version_table, self.schemas)

    def models(self) -> Sequence[MetaData]:
        """The metadata itself. On failure: ModelsNotImportable, ConfigurationInvalid."""
        try:
            return [
                cast("MetaData", imported(each)) if isinstance(each, str) else each
                for each in self.metadata
            ]
        except SurefootError:
            raise
        except ImportError as error:
            raise ModelsNotImportable(str(error)) from error
        except Exception as error:
            raise ModelsNotImportable(f"{type(error).__name__}: {error}") from error


def imported(reference: str) -> Any:
    """The object that an import string names: "package.module:attribute".

    On failure: ConfigurationInvalid where it is no import string; ImportError.
    """
    module, colon, attributes = reference.partition(":")
    if not (module and colon and attributes):
        raise ConfigurationInvalid(
            reference, 'it is not an import string such as "shop.models:metadata"'
        )
    found: Any = import_module(module)
    try:
        return attrgetter(attributes)(found)
    except AttributeError:
        raise ImportError(f"{module!r} has no attribute {attributes!r}") from None
