"""Candidate is a project of Alembic that may be adopted, as its files say it; nothing is run."""

from __future__ import annotations

import configparser
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from alembic.util.exc import CommandError

from surefoot.adoption.env_file import EnvFile, Remark
from surefoot.adoption.ini_file import IniFile, text_of
from surefoot.adoption.reading import read_env
from surefoot.adoption.template import tying_imports
from surefoot.chain.revisions import Revision
from surefoot.chain.source import code_of, source_of, source_paths
from surefoot.errors import ConfigurationInvalid, SurefootError
from surefoot.frozen import dataclass
from surefoot.project import Project
from surefoot.wording import listed


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
        _refuse_unread(project)
        revisions = project.revisions()
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


def _refuse_unread(project: Project) -> None:
    """On failure: ConfigurationInvalid, where the chain goes on in folders that are not read.

    Folders inside of the named ones may hold former revisions, with which no other one is linked.
    """
    read = source_paths(*project.locations, recursive=project.recursive)
    left = sorted({*source_paths(*project.locations, recursive=True)} - {*read})
    known = [*_links(read if left else ())]
    ids, downs = {each for each, _ in known}, {down for _, each in known for down in each}
    found = [
        path
        for path in left
        for each, its in _links([path])
        if not ids or each in downs or not ids.isdisjoint(its)
    ]
    if not found:
        return
    folders = dict.fromkeys(os.path.relpath(Path(each).parent) for each in found)
    raise ConfigurationInvalid(
        str(project.ini if project.ini.exists() else project.ini.with_name("pyproject.toml")),
        f"it names {project.named_locations()} for the revisions, and their chain goes on in "
        f"folders below, which are not read: {listed(folders, most=3)}",
        "write recursive_version_locations = true there, or name the folders in version_locations; "
        "they are not heard where env.py or another program sets them",
    )


def _links(paths: Iterable[str]) -> Iterator[tuple[object, Collection[object]]]:
    """The id of each revision, and those that it builds on, as its file writes them out."""
    for path in paths:
        with suppress(SurefootError):
            names = source_of(Path(path), code_of(path)).names
            down = names.get("down_revision")
            if isinstance(names.get("revision"), str):
                yield names["revision"], down if isinstance(down, (tuple, list)) else (down,)
