"""A Location is a folder that a job may work on: a volume, its root, and a path below the root.

The path of a request is resolved on the disk before it is checked, including symlinks and `..`.
The walk does not rely on that: it opens every folder from the root down and follows no symlink.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import PathNotAFolder, PathOutsideVolumes, VolumeUnknown
from app.jobs.names import listed, on_disk
from app.jobs.walk import TOO_LONG, is_too_long

Roots = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Location:
    """A folder below the root of a volume; `path` is empty for the root itself."""

    volume: str
    root: str
    path: str


def locate(volumes: Mapping[str, Path], volume: str | None, path: str) -> Location:
    """The folder that `path` names: relative to the volume, or absolute if no volume is named.

    It reads the file system and therefore blocks.
    On failure: VolumeUnknown, PathOutsideVolumes, PathNotAFolder.
    """
    configured = [(name, os.fsencode(root.absolute())) for name, root in sorted(volumes.items())]
    asked = on_disk(path)
    if volume is not None:
        known = [name for name, _ in configured]
        configured = [(n, root) for n, root in configured if n.lower() == volume.lower()]
        if not configured:
            raise VolumeUnknown(volume, known)
        asked = os.path.join(configured[0][1], asked)  # noqa: PTH118 - names are bytes
    real_roots = [(name, os.path.realpath(root)) for name, root in configured]
    real = os.path.realpath(asked)
    holder = _holder(real, real_roots)
    # A request learns nothing about other paths, not even whether they exist.
    if holder is None or _holder(os.path.normpath(asked), [*configured, *real_roots]) is None:
        raise PathOutsideVolumes(path, [f"{name}={listed(root)}" for name, root in configured])
    try:
        os.close(os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
    except OSError as error:
        named = path or listed(os.path.normpath(asked))
        raise PathNotAFolder(named, error.strerror or str(error)) from None
    below = listed(real[len(dict(real_roots)[holder].rstrip(b"/")) :].strip(b"/"))
    if is_too_long(below):
        raise PathNotAFolder(below, TOO_LONG)
    return Location(holder, listed(dict(configured)[holder]), below)


def _holder(path: bytes, roots: Roots) -> str | None:
    """The volume with the deepest root that contains the path."""
    holding = [
        (len(root), name)
        for name, root in roots
        if path == root or path.startswith(root.rstrip(b"/") + b"/")
    ]
    return max(holding)[1] if holding else None
