"""Candidate is a project of Alembic that may be adopted, as its files say it; nothing is run."""

from __future__ import annotations

import configparser
from pathlib import Path

from alembic.util.exc import CommandError

from surefoot.adoption.env_file import EnvFile, Remark
from surefoot.adoption.ini_file import IniFile, text_of
from surefoot.adoption.past import refuse_arguments
from surefoot.adoption.reading import read_env
from surefoot.adoption.template import tying_imports
from surefoot.adoption.unread import refuse_unread
from surefoot.chain.revisions import Revision
from surefoot.chain.source import source_of
from surefoot.errors import ConfigurationInvalid
from surefoot.frozen import dataclass
from surefoot.project import Project


@dataclass(frozen=True)
class Candidate:
    """The ini file, env.py and the revisions."""

    # Without the version table, which only shows when env.py runs.
    project: Project
    env: EnvFile
    revisions: tuple[Revision, ...]
    ini: IniFile
    # The lines of script.py.mako that each new revision would be refused for.
    template: tuple[Remark, ...] = ()

    @classmethod
    def read(cls, ini: Path) -> Candidate:
        """The project of an ini file.

        On failure: ConfigurationInvalid, RevisionsBroken, LockFileStale.
        """
        found = IniFile.read(ini)
        try:
            project = Project.of(found.config())
            path = (project.folder / "env.py").resolve()
        except (CommandError, configparser.Error, ImportError, ValueError) as error:
            raise ConfigurationInvalid(str(ini), " ".join(str(error).split())) from None
        for folder in project.locations:
            if not folder.is_dir():
                raise ConfigurationInvalid(
                    str(ini), f"there is no folder {folder}, where its revisions should be"
                )
        if not path.is_file():
            raise ConfigurationInvalid(str(path), "there is no such file, and Alembic runs it")
        env = read_env(path, text_of(path))
        refuse_unread(project)
        revisions = project.revisions()
        refuse_arguments(revisions)
        project.check_lock(revisions)
        return cls(project, env, revisions, found, tuple(tying_imports(project.folder)))

    @property
    def is_adopted(self) -> bool:
        """Whether nothing is left to do."""
        return not self.ini.added and self.env.is_adopted and self.project.lock.exists()

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
