"""The name of a file for tools that know a git repository by its root."""

import os
from pathlib import Path


def in_repository(path: Path) -> str:
    """The path from the root of its git repository, or else from the working directory."""
    file = path.resolve()
    root = next((each for each in file.parents if (each / ".git").exists()), None)
    found = os.path.relpath(path) if root is None else str(file.relative_to(root))
    return found.replace(os.sep, "/")
