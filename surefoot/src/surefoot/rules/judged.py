"""Judged is a file that rules judge: of a revision, or of a backfill."""

from pathlib import Path
from typing import Protocol


class Judged(Protocol):
    """The file, and its revision; a backfill has none."""

    @property
    def revision(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def source(self) -> str: ...
