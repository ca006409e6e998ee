"""The ini file that a command line names."""

from pathlib import Path

import click

DEFAULT_INI = "alembic.ini"
# Where Flask-Migrate has it, seen from the folder in which commands are typed.
FLASK_INI = "migrations/alembic.ini"


def ini_file(context: click.Context) -> Path:
    """The ini file of the project, also where the group was not invoked: a shell completes a word.

    A group that has the attribute `ini` is the command of one project.
    """
    root = context.find_root()
    if (own := getattr(root.command, "ini", None)) is not None:
        return Path(own)
    config = Path(root.params.get("config") or DEFAULT_INI)
    if config == Path(DEFAULT_INI) and not config.is_file() and Path(FLASK_INI).is_file():
        return Path(FLASK_INI)
    return config
