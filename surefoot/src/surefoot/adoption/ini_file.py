"""IniFile is the alembic.ini of a project, and the options that it leaves to others."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from alembic.config import Config

from surefoot.errors import ConfigurationInvalid
from surefoot.frozen import dataclass
from surefoot.project import alembic_config, read_tool

# Where it lies in a project, seen from the folder in which commands are typed; the second one is
# Flask-Migrate's.
_PLACES = ("alembic.ini", "migrations/alembic.ini")
_TOML = "pyproject.toml"


@dataclass(frozen=True)
class IniFile:
    """The file, and the option that it lacks: Flask-Migrate names the folder by itself.

    A project whose options are all in pyproject.toml has none, and so no text.
    """

    path: Path
    text: str
    added: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> IniFile:
        """On failure: ConfigurationInvalid."""
        text = text_of(path) if path.exists() else ""
        parser = configparser.RawConfigParser()
        try:
            parser.read_string(text, str(path))
            is_named = parser.has_option("alembic", "script_location")
        except configparser.Error as error:
            raise ConfigurationInvalid(str(path), " ".join(str(error).split())) from None
        is_of_flask = not is_named and (path.parent / "env.py").is_file()
        return cls(path, text, {"script_location": "%(here)s"} if is_of_flask else {})

    @property
    def new_text(self) -> str:
        """The file as it has to be."""
        lines = "".join(f"{name} = {value}\n" for name, value in self.added.items())
        return self.text.replace("[alembic]\n", f"[alembic]\n{lines}", 1)

    def config(self) -> Config:
        """Alembic's configuration, with all options."""
        config = alembic_config(self.path)
        for name, value in self.added.items():
            config.set_main_option(name, value)
        return config


def found_ini(path: Path) -> Path:
    """The ini file that a path names or a folder has, or would have beside its pyproject.toml.

    On failure: ConfigurationInvalid.
    """
    if path.name == _TOML:
        path = path.parent
    if path.is_file():
        return path
    for each in _PLACES:
        if (path / each).is_file():
            return path / each
    if _is_configured(path / _TOML):
        return path / _PLACES[0]
    if not path.is_dir():
        raise ConfigurationInvalid(str(path), "there is no such file or folder")
    reason = (
        f"there is no {' and no '.join(_PLACES)} in it, and no [tool.alembic] in a {_TOML}, so it "
        "is no project of Alembic"
    )
    begins = "name its folder or its ini file; a new project begins with `alembic init migrations`"
    raise ConfigurationInvalid(str(path), reason, begins)


def _is_configured(toml: Path) -> bool:
    """Whether a pyproject.toml has options of Alembic. On failure: ConfigurationInvalid."""
    try:
        return bool(read_tool(toml, "alembic"))
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(str(toml), str(error)) from None


def text_of(path: Path) -> str:
    """The text of a file, with the line ends of Unix. On failure: ConfigurationInvalid."""
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigurationInvalid(str(path), str(error.strerror)) from None
    except UnicodeDecodeError:
        raise ConfigurationInvalid(str(path), "it is no text in UTF-8") from None
