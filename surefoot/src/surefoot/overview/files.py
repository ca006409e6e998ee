"""texts() reads the files of revisions, for people."""

from collections.abc import Collection, Mapping
from importlib.util import decode_source

from surefoot.chain.revisions import Revision
from surefoot.chain.source import source_of
from surefoot.errors import SurefootError
from surefoot.startup.check import Build


def texts(build: Build, wanted: Collection[str]) -> Mapping[str, str]:
    """The texts of these revisions; without those whose file is not there, or is another one."""
    found = ((each.id, _text(build, each)) for each in build.revisions if each.id in wanted)
    return {identifier: text for identifier, text in found if text is not None}


def _text(build: Build, revision: Revision) -> str | None:
    for folder in build.locations:
        path = folder / revision.file_name
        try:
            code = path.read_bytes()
            if source_of(path, code).sha256 == revision.sha256:
                return decode_source(code)
        except (OSError, SurefootError):
            continue
    return None
