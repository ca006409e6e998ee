"""The lines of revisions.lock about backfills: a name and the hash of the code of its file.

They are compared where a backfill is run, linted or locked; an upgrade does not read the files.
"""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from surefoot.chain.checksum import checksum
from surefoot.chain.coding import parsed
from surefoot.errors import BackfillInvalid, LockFileStale

_WORD = "backfill"
_COMMENT = "# One line a backfill: its name and the sha256 of its code.\n"
# The fields of such a line.
_FIELDS = 3


def backfill_paths(lock: Path) -> Sequence[Path]:
    """The files of the folder `backfills` beside revisions.lock, in the order of their names."""
    found = lock.with_name("backfills").glob("*.py")
    return sorted(path for path in found if not path.name.startswith(("_", ".")))


def backfill_code(path: Path) -> ast.Module:
    """The code of a file. On failure: BackfillInvalid."""
    try:
        return parsed(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise BackfillInvalid(str(path), f"it cannot be read: {error}") from None


def is_of_backfill(fields: Sequence[str]) -> bool:
    """Whether a line of revisions.lock is about a backfill."""
    return len(fields) == _FIELDS and fields[0] == _WORD


def backfill_lines(lock: Path) -> str:
    """The lines for the files as they are, after a comment. On failure: BackfillInvalid."""
    each = [
        f"{_WORD}  {path.stem}  {checksum(backfill_code(path))}\n" for path in backfill_paths(lock)
    ]
    return "".join([_COMMENT, *each]) if each else ""


def check_backfills(lock: Path) -> None:
    """Compare revisions.lock, where there is one, with the files of backfills.

    On failure: LockFileStale, with each that is missing, gone or edited; BackfillInvalid.
    """
    if not lock.exists():
        return
    told, found = _by_name(lock.read_text("utf-8")), _by_name(backfill_lines(lock))
    differences = [
        *(f"the backfill {name} is not in it" for name in found if name not in told),
        *(f"the backfill {name} has no file" for name in told if name not in found),
        *(f"the backfill {n} was edited" for n in found if n in told and told[n] != found[n]),
    ]
    if differences:
        raise LockFileStale(lock.name, differences)


def _by_name(text: str) -> Mapping[str, str]:
    lines = map(str.split, text.splitlines())
    return {fields[1]: fields[2] for fields in lines if is_of_backfill(fields)}
