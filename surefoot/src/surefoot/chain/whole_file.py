"""write_whole() replaces a file in one step, so that nobody finds or is left with a part of it."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from surefoot.errors import FileNotWritable


def write_whole(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace the file, or make it; a link to it stays one. Without a mode it keeps its own.

    On failure: FileNotWritable, and the file is as it was.
    """
    place = path.resolve()
    try:
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        _replace(place, content, mode)
    except OSError as error:
        raise FileNotWritable(str(path), error.strerror or str(error)) from None


def write_all(
    contents: Mapping[Path, bytes | None], former: Mapping[Path, Path] | None = None
) -> None:
    """Write several files as one change; None removes one.

    `former` is the path that a file had before, whose mode it keeps.

    On failure: FileNotWritable or the interruption, and all files are as they were.
    """
    before = {path: path.read_bytes() if path.exists() else None for path in contents}
    modes = {path: path.stat().st_mode for path, content in before.items() if content is not None}
    moved = {new: modes[old] for new, old in (former or {}).items() if old in modes}
    done: list[Path] = []
    try:
        # New files first: whatever ends the process, no text is lost.
        for path in sorted(contents, key=lambda each: contents[each] is None):
            done.append(path)
            _write_or_remove(path, contents[path], moved.get(path))
    except BaseException:
        for path in reversed(done):
            with suppress(FileNotWritable):
                _write_or_remove(path, before[path], modes.get(path))
        raise


def _write_or_remove(path: Path, content: bytes | None, mode: int | None) -> None:
    if content is not None:
        write_whole(path, content, mode)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise FileNotWritable(str(path), error.strerror or str(error)) from None


def _replace(place: Path, content: bytes, mode: int | None) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
        if mode is not None:
            Path(name).chmod(stat.S_IMODE(mode))
        elif place.exists():
            shutil.copymode(place, name)
        else:
            mask = os.umask(0)
            os.umask(mask)
            Path(name).chmod(0o666 & ~mask)
        Path(name).replace(place)
    except BaseException:  # also where the process is interrupted
        with suppress(OSError):
            Path(name).unlink()
        raise
