"""refuse_unread() finds revisions in folders that Alembic does not read by the ini file alone."""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from surefoot.chain.source import code_of, source_of, source_paths
from surefoot.errors import ConfigurationInvalid, SurefootError
from surefoot.project import Project
from surefoot.wording import listed


def refuse_unread(project: Project) -> None:
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
