"""Project is one chain of revisions, and all that Alembic's configuration says of it."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from configparser import ConfigParser, Error
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.chain.known import revisions_of
from surefoot.chain.lockfile import check_lock, is_written_from, read_lock
from surefoot.chain.revisions import Revision
from surefoot.chain.source import source_codes, source_paths
from surefoot.chain.squashed import NAME as SQUASHED
from surefoot.errors import ConfigurationInvalid
from surefoot.errors.names import command
from surefoot.import_strings import metadata_of
from surefoot.version_table import VersionTable

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import MetaData

    from surefoot.startup.check import Build

DEFAULT_INI = "alembic.ini"
# The values of path_separator; without one Alembic divides by commas and blanks.
_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}
_LEGACY_SEPARATORS = {
    "version_locations": re.compile(r", *| +"),
    "prepend_sys_path": re.compile(r", *| +|:"),
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Project:
    """The revisions of one application: their folders, their lock file and their version table.

    On failure: ConfigurationInvalid where the ini file cannot be read.

    Example:
        project = Project.read("alembic.ini")
        print(project.locations, project.lock, [r.id for r in project.revisions()])
    """

    ini: Path
    # script_location: the folder of env.py and script.py.mako.
    folder: Path
    # version_locations: the folders of the revision files.
    locations: tuple[Path, ...]
    # recursive_version_locations: whether folders in it hold revisions too.
    recursive: bool = False
    version_table: VersionTable = VersionTable()
    # The schemas of the application, its own first; without a name the one that new objects get.
    schemas: Sequence[str] = ()
    # Extensions that are in a database before its first revision.
    extensions: Sequence[str] = ()
    # The kinds of object of which the models are the whole truth, such as "views".
    manages: Collection[str] = ()
    # Tables that neither models nor revisions own, and the project's options for autogenerate.
    exclude: Collection[str] = ()
    filters: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    # MetaData, or import strings that lead to it: "shop.models:metadata".
    metadata: Sequence[MetaData | str] = field(default=(), repr=False)

    @classmethod
    def read(cls, ini: Path | str = DEFAULT_INI, **options: Any) -> Project:
        """The project of an ini file, read without Alembic: a service that starts does not load it.

        The ini file may be missing, or lack what [tool.alembic] of a pyproject.toml beside it says.

        `options` are the fields that the file does not hold. On failure: ConfigurationInvalid.
        """
        path = Path(ini).absolute()
        try:
            given = _configured(path)
            folder = _placed(given["script_location"], path.parent)
            places = [_placed(each, path.parent) for each in _listed(given, "version_locations")]
            recursive = given.get("recursive_version_locations") in (True, "true")
        except KeyError:
            raise ConfigurationInvalid(str(path), "it has no script_location") from None
        except (OSError, ValueError, ImportError, Error) as error:
            raise ConfigurationInvalid(str(path), str(error)) from None
        return cls(path.resolve(), folder, _locations(folder, places), recursive, **options)

    @classmethod
    def of(cls, config: Config, **options: Any) -> Project:
        """The project of Alembic's own configuration, wherever that was read from."""
        from alembic.script import ScriptDirectory  # noqa: PLC0415 - a service does without

        script = ScriptDirectory.from_config(config)
        ini = Path(config.config_file_name or DEFAULT_INI).resolve()
        folder = Path(script.dir).resolve()
        places = [_placed(each, Path.cwd()) for each in script.version_locations]
        recursive = script.recursive_version_locations
        return cls(ini, folder, _locations(folder, places), recursive, **options)

    @property
    def lock(self) -> Path:
        """The file that lists the revisions with their checksums: revisions.lock.

        It is beside the folder of the revisions, and of several in the folder of env.py.
        """
        of_one = len(self.locations) == 1
        return (self.locations[0].parent if of_one else self.folder) / "revisions.lock"

    @property
    def squashed(self) -> Path:
        """The file that stands for the first revisions on an empty database, where there is one."""
        return self.lock.with_name(SQUASHED)

    def revisions(self) -> tuple[Revision, ...]:
        """The revision files in the order in which they apply. On failure: RevisionsBroken.

        Without a revisions.lock all of them are taken for the past, judged by nobody.
        """
        found = revisions_of(self.lock, self.codes())
        if not self.lock.exists():
            return tuple(replace(each, past=True, unlocked=True) for each in found)
        return found

    def is_locked(self) -> bool:
        """Whether revisions.lock was written from the revision files as they are, byte by byte.

        On failure: RevisionsBroken.
        """
        return self.lock.exists() and is_written_from(self.lock, self.codes())

    def codes(self) -> Mapping[str, bytes]:
        """The bytes of the revision files by their paths. On failure: RevisionsBroken."""
        return source_codes(*self.locations, recursive=self.recursive)

    def locked(self) -> tuple[Revision, ...]:
        """The revisions as revisions.lock lists them, or else as their files are.

        On failure: RevisionsBroken.
        """
        found = () if self.lock.exists() else self.revisions()
        return found or read_lock(self.lock)

    def named_locations(self) -> str:
        """The folders of the revision files, for messages."""
        inner = " and the folders in it" if self.recursive else ""
        return ", ".join(os.path.relpath(each) + inner for each in self.locations)

    def lock_missing(self) -> str:
        """In one line, that revisions.lock is missing; empty where it is not, or not needed yet."""
        if self.lock.exists() or not source_paths(*self.locations, recursive=self.recursive):
            return ""
        writes = f"`{command()} lock --baseline heads`"
        return f"there is no {self.lock}, so no revision is judged: {writes} writes it"

    def check_lock(self, revisions: Sequence[Revision]) -> None:
        """Compare revisions.lock, where there is one, with the files. On failure: LockFileStale."""
        if self.lock.exists():
            check_lock(self.lock, revisions)

    def build(self) -> Build:
        """The revisions of this build, for the start-up check. On failure: RevisionsBroken.

        They are read from revisions.lock, or else from their files, with a warning in the log.
        """
        from surefoot.startup.check import Build  # noqa: PLC0415 - the check is an upper room

        more = self.version_table, self.schemas, self.locations, self.exclude
        if missing := self.lock_missing():
            _log.warning("%s", missing)
            return Build.of(self.revisions(), *more)
        return Build.read(self.lock, *more)

    def models(self) -> Sequence[MetaData]:
        """The metadata itself. On failure: ModelsNotImportable, ConfigurationInvalid."""
        return [metadata_of(each) for each in self.metadata]


def alembic_config(ini: Path | str, **options: Any) -> Config:
    """Alembic's own configuration: an ini file with the pyproject.toml beside it, or one of them.

    On failure: ConfigurationInvalid, where there is neither.
    """
    from alembic.config import Config  # noqa: PLC0415 - a service does without

    beside = Path(ini).with_name("pyproject.toml")
    if not Path(ini).is_file() and not read_tool(beside, "alembic"):
        cure = "run the command in the folder that has it, or name it with -c"
        raise ConfigurationInvalid(str(ini), "there is no such file", cure)
    return Config(ini, toml_file=beside, **options)


def read_tool(file: Path, tool: str) -> Mapping[str, Any]:
    """The table of a tool in a pyproject.toml, empty without one. On failure: OSError, ValueError.

    A file that does not name the tool is not parsed: Python 3.10 needs a package for that.
    """
    text = file.read_text("utf-8") if file.exists() else ""
    if tool not in text:
        return {}
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    tools = toml.loads(text).get("tool", {})
    found = tools.get(tool, {}) if isinstance(tools, dict) else {}
    if not isinstance(found, dict):
        raise ValueError(f"tool.{tool} is not a table")  # noqa: TRY004 - of the text
    return found


def _configured(ini: Path) -> Mapping[str, Any]:
    """The options of [alembic]: those of the ini file, then of the pyproject.toml beside it.

    On failure: OSError, ValueError, configparser.Error.
    """
    here = {"here": ini.parent.as_posix()}
    found: dict[str, Any] = {}
    for name, value in read_tool(ini.with_name("pyproject.toml"), "alembic").items():
        found[name] = value % here if isinstance(value, str) else value
        if name in _LEGACY_SEPARATORS and isinstance(value, list):
            found[name] = [each % here for each in value]
    if ini.exists() or not found:
        parser = ConfigParser(here)
        with ini.open(encoding="utf-8") as opened:
            parser.read_file(opened)
        found |= dict(parser["alembic"]) if parser.has_section("alembic") else {}
    return found


def module_paths(ini: Path | str) -> Sequence[str]:
    """The folders in which Alembic looks for modules first: prepend_sys_path.

    On failure: OSError, ValueError, configparser.Error.
    """
    return _listed(_configured(Path(ini).absolute()), "prepend_sys_path")


def _listed(given: Mapping[str, Any], name: str) -> Sequence[str]:
    """The items of that option, divided as Alembic does. On failure: ValueError."""
    named, listed = given.get("path_separator"), given.get(name)
    named = given.get("version_path_separator") if named is None else named
    if not listed:
        return ()
    if isinstance(listed, list):
        return listed
    if named is None:
        return _LEGACY_SEPARATORS[name].split(listed)
    if named not in _SEPARATORS:
        raise ValueError(f"{named!r} is no path_separator; it is {', '.join(_SEPARATORS)}")
    return [each.strip() for each in listed.split(_SEPARATORS[named]) if each]


def _placed(named: str, beside: Path) -> Path:
    """A folder, or one in a package: `package:folder`; a relative one is below the current folder.

    Where it is not there, Alembic cannot run; a service may still start, and looks beside its ini
    file. On failure: ImportError.
    """
    if ":" in named and not Path(named).is_absolute():
        from importlib import resources  # noqa: PLC0415 - it imports much, for few

        package, *inner = named.split(":")
        place = resources.files(package)
        for each in inner:
            place = place / each
        return Path(str(place)).resolve()
    found = Path(named).absolute()
    return (found if found.exists() else Path(beside, named)).resolve()


def _locations(folder: Path, places: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(places)) or (folder / "versions",)
