"""IniFile is the alembic.ini of a project, and the options that it leaves to others."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config

from surefoot.errors import ConfigurationInvalid
from surefoot.project import read_tool

# Where it lies in a project, seen from the folder in which commands are typed; the second one is
# Flask-Migrate's.
_PLACES = ("alembic.ini", "migrations/alembic.ini")
# The options of pyproject.toml that tell where revisions are.
_SHARED = (
    "script_location", "prepend_sys_path", "version_locations", "recursive_version_locations",
    "path_separator",
)  # fmt: skip


@dataclass(frozen=True)
class IniFile:
    """The file, and the options that it lacks: Flask-Migrate or pyproject.toml has them."""

    path: Path
    text: str
    added: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> IniFile:
        """On failure: ConfigurationInvalid."""
        text = text_of(path)
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text, str(path))
            is_complete = parser.has_option("alembic", "script_location")
            added = {} if is_complete else _named_elsewhere(path)
        except (configparser.Error, ValueError) as error:
            raise ConfigurationInvalid(str(path), " ".join(str(error).split())) from None
        return cls(path, text, added)

    @property
    def new_text(self) -> str:
        """The file as it has to be."""
        lines = "".join(f"{name} = {value}\n" for name, value in self.added.items())
        return self.text.replace("[alembic]\n", f"[alembic]\n{lines}", 1)

    def config(self) -> Config:
        """Alembic's configuration, with all options."""
        config = Config(self.path)
        for name, value in self.added.items():
            config.set_main_option(name, value)
        return config


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
    found: dict[str, str] = {}
    given = read_tool(ini.parent / "pyproject.toml", "alembic")
    for name in _SHARED:
        value = given.get(name)
        if isinstance(value, list) and len(value) > 1:
            found["path_separator"] = "os"
        if value is not None:
            values = value if isinstance(value, list) else [value]
            found[name] = os.pathsep.join(map(str, values)).replace("True", "true")
    return found


def text_of(path: Path) -> str:
    """The text of a file, with the line ends of Unix. On failure: ConfigurationInvalid."""
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigurationInvalid(str(path), str(error.strerror)) from None
    except UnicodeDecodeError:
        raise ConfigurationInvalid(str(path), "it is no text in UTF-8") from None
