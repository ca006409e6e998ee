"""Compares the revisions that Alembic runs with those that the library has read.

Checksums, phases and lint verdicts are of files that were read, and run only where an id shows in
no other way. Whatever Alembic finds elsewhere, or understands otherwise, would be applied without
them.
"""

import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from alembic.runtime.migration import RevisionStep
from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple

from surefoot.chain.revisions import Revision
from surefoot.chain.source import FUNCTIONS
from surefoot.compat.scripts import every
from surefoot.connect.sender import function_of
from surefoot.errors import RevisionsBroken, RunsNothing

_PLAIN = (
    'write revision = "0008" and down_revision = "0007" at the top of a .py file in the versions '
    "folder, or set recursive_version_locations for folders in it"
)


def refuse_unread(
    script: ScriptDirectory, revisions: Sequence[Revision], planned: Iterable[RevisionStep]
) -> None:
    """Compare every revision of Alembic, and the modules of those that are planned.

    On failure: RevisionsBroken, RunsNothing.
    """
    read = {revision.id: revision for revision in revisions}
    for loaded in every(script):
        known = read.pop(loaded.revision, None)
        if known is None or known.path is None or not _same(known.path, loaded.path):
            raise RevisionsBroken(
                f"Alembic runs {loaded.revision} from {os.path.relpath(loaded.path)}, and Surefoot "
                "has read no source of it there",
                help=_PLAIN,
            )
        below = {*to_tuple(loaded.down_revision, ())}
        if loaded.dependencies:
            needed = script.get_revisions(to_tuple(loaded.dependencies))
            below.update(each.revision for each in needed)
        if set(known.down) != below:
            raise RevisionsBroken(
                f"{os.path.relpath(loaded.path)}: for Alembic {loaded.revision} builds on "
                f"{', '.join(sorted(below)) or 'base'}, and Surefoot has read {known.down!r}",
                help=_PLAIN,
            )
    if read:
        raise RevisionsBroken(f"Alembic does not load {', '.join(read)}", help=_PLAIN)
    for step in planned:
        if isinstance(step, RevisionStep):
            _refuse_other_module(step.revision)
            refuse_asynchronous(step.revision)


def _refuse_other_module(loaded: Script) -> None:
    """On failure: RevisionsBroken, where the module has another place than its file was read."""
    module = loaded.module
    for name, read in (
        ("revision", loaded.revision),
        ("down_revision", loaded.down_revision),
        ("depends_on", loaded.dependencies),
    ):
        found = getattr(module, name, read)
        if to_tuple(found, ()) != to_tuple(read, ()):
            raise RevisionsBroken(
                f"{os.path.relpath(loaded.path)}: {name} is {found!r} once the file has run, and "
                f"Surefoot has read {read!r}",
                help=_PLAIN,
            )


def refuse_asynchronous(loaded: Script) -> None:
    """On failure: RunsNothing, where a function of the revision only makes a coroutine."""
    for name in FUNCTIONS:
        function = getattr(loaded.module, name, None)
        if (
            inspect.iscoroutinefunction(function)
            or inspect.isgeneratorfunction(function)
            or inspect.isasyncgenfunction(function)
        ):
            raise RunsNothing(loaded.revision, name)


def synchronous(
    revision: str, function: Callable[..., Any], done: Callable[[], None] = lambda: None
) -> Callable[..., None]:
    """The function of a revision, and `done` after it.

    On failure: RunsNothing, where it returns a coroutine.
    """

    @wraps(function)  # Alembic's log says `Running upgrade`, by its name
    def run(**options: Any) -> None:
        with function_of(revision):
            try:
                made = function(**options)
            except SystemExit as error:
                # It would end the process, and with 0 as if the revision had been applied.
                meant = RuntimeError(f"it ends the process, by SystemExit({error.code!r})")
                raise meant.with_traceback(error.__traceback__) from None
        if inspect.isawaitable(made) or inspect.isgenerator(made) or inspect.isasyncgen(made):
            if inspect.iscoroutine(made):
                made.close()
            raise RunsNothing(revision, getattr(function, "__name__", "its function"))
        done()

    return run


def _same(one: Path, other: str) -> bool:
    return str(one) == other or one.resolve() == Path(other).resolve()
