"""Candidate is a project of Alembic that may be adopted, as its files say it; nothing is run."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from surefoot.adoption.env_file import EnvFile
from surefoot.adoption.reading import read_env
from surefoot.chain.revisions import Revision
from surefoot.chain.source import source_of
from surefoot.compat.alembic import read_toml
from surefoot.errors import ConfigurationInvalid
from surefoot.project import DEFAULT_INI, Project

# Where the ini file lies in a project, seen from the folder in which its commands are typed; the
# second one is Flask-Migrate's.
# The options of pyproject.toml that tell where revisions are.
_SHARED = (
    "script_location", "prepend_sys_path", "version_locations", "recursive_version_locations",
    "path_separator",
)  # fmt: skip
_PLACES = (DEFAULT_INI, f"migrations/{DEFAULT_INI}")


@dataclass(frozen=True)
class Candidate:
    """The ini file, env.py and the revisions."""

    # Without the version table, which only shows when env.py runs.
    project: Project
    env: EnvFile
    revisions: tuple[Revision, ...]
    # The ini file; and as it has to be, with what Flask-Migrate or pyproject.toml says instead.
    ini_text: str
    new_ini_text: str

    @classmethod
    def read(cls, ini: Path) -> Candidate:
        """The project of an ini file.

        On failure: ConfigurationInvalid, RevisionsBroken, LockFileStale.
        """
        text = _text(ini)
        try:
            config = Config(ini)
            added: Mapping[str, str] = {}
            if config.get_main_option("script_location") is None:
                added = _named_elsewhere(ini)
            for name, value in added.items():
                config.set_main_option(name, value.replace("%(here)s", str(ini.parent.resolve())))
            project = Project.of(config)
            env = Path(ScriptDirectory.from_config(config).dir, "env.py").resolve()
        except (CommandError, configparser.Error, ImportError, ValueError) as error:
            raise ConfigurationInvalid(str(ini), " ".join(str(error).split())) from None
        for folder in project.locations:
            if not folder.is_dir():
                raise ConfigurationInvalid(
                    str(ini), f"there is no folder {folder}, where its revisions should be"
                )
        if not env.is_file():
            raise ConfigurationInvalid(str(env), "there is no such file, and Alembic runs it")
        lines = "".join(f"{name} = {value}\n" for name, value in added.items())
        new = text.replace("[alembic]\n", f"[alembic]\n{lines}", 1)
        found, revisions = read_env(env, _text(env)), project.revisions()
        project.check_lock(revisions)
        return cls(project, found, revisions, text, new)

    @property
    def is_adopted(self) -> bool:
        """Whether nothing is left to do."""
        is_named = self.ini_text == self.new_ini_text
        return is_named and self.env.is_adopted and self.project.lock.exists()

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of branches, as the files have them."""
        found: dict[str, None] = {}
        for each in self.revisions:
            assert each.path is not None
            given = source_of(each.path, each.path.read_bytes()).names.get("branch_labels")
            named = [given] if isinstance(given, str) else given
            if isinstance(named, (list, tuple, set)):
                found.update(dict.fromkeys(map(str, named)))
        return tuple(found)


def found_ini(path: Path) -> Path:
    """The ini file that a path names or a folder has. On failure: ConfigurationInvalid."""
    if path.is_file():
        return path
    for each in _PLACES:
        if (path / each).is_file():
            return path / each
    reason = f"there is no {' and no '.join(_PLACES)} in it, so it is no project of Alembic"
    raise ConfigurationInvalid(
        str(path), reason if path.is_dir() else "there is no such file or folder"
    )


def _named_elsewhere(ini: Path) -> Mapping[str, str]:
    """The options that an ini file without a folder leaves to others, as it would have them."""
    if (ini.parent / "env.py").is_file():
        return {"script_location": "%(here)s"}  # `flask db` names the folder
    toml, found = ini.parent / "pyproject.toml", dict[str, str]()
    given = read_toml(toml).get("tool", {}).get("alembic", {}) if toml.is_file() else {}
    for name in _SHARED:
        value = given.get(name)
        if isinstance(value, list) and len(value) > 1:
            found["path_separator"] = "os"
        if value is not None:
            values = value if isinstance(value, list) else [value]
            found[name] = os.pathsep.join(map(str, values)).replace("True", "true")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigurationInvalid(str(path), str(error.strerror)) from None
    except UnicodeDecodeError:
        raise ConfigurationInvalid(str(path), "it is no text in UTF-8") from None
