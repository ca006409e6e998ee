"""A revisions.lock that two branches have changed: its sides apart, or both as one.

text with markers of git       -> sides  -> (ours, theirs)
(base, ours, theirs) of a merge -> joined -> one text without markers

Pure functions over texts.
"""

from collections.abc import Mapping

# A line of these begins a conflict of git.
_OURS = "<<<<<<<"
# Of the lines that are about no revision the first field.
_BASELINE, _BACKFILL = "baseline", "backfill"
# Comments: with the hash of the files, and before the lines about backfills.
FILES, BACKFILLS = "# files: ", "# One line a backfill"
# So many fields of a line are of the file, as in `lockfile`.
_OF_FILE = 5


def conflict_line(text: str) -> int | None:
    """The number of the line at which a conflict begins; None where there is none."""
    found = (number for number, line in enumerate(text.splitlines(), 1) if line.startswith(_OURS))
    return next(found, None)


def sides(text: str) -> tuple[str, str]:
    """Ours and theirs of a text with conflicts; the same text twice where it has none."""
    ours, theirs = list[str](), list[str]()
    told: tuple[list[str], ...] = (ours, theirs)
    for line in text.splitlines(keepends=True):
        match line[:7]:
            case "<<<<<<<":
                told = (ours,)
            case "|||||||":  # the text before both, where git is asked for it
                told = ()
            case "=======":
                told = (theirs,)
            case ">>>>>>>":
                told = (ours, theirs)
            case _:
                for each in told:
                    each.append(line)
    return "".join(ours), "".join(theirs)


def joined(base: str, ours: str, theirs: str) -> str:
    """The lock with the lines of both sides, each once: ours first.

    A line that one side alone has changed or removed is as that side has it. Fingerprint and
    verdict are open where both have changed a line, and where both have added revisions: nobody has
    seen them together. `surefoot lock` completes the text, which lacks the hash of the files.
    """
    before, mine, others = _lines(base), _lines(ours), _lines(theirs)
    found: dict[tuple[str, ...], str] = {}
    is_parted = bool({*mine} - {*before, *others}) and bool({*others} - {*before, *mine})
    for key in (*mine, *(each for each in others if each not in mine)):
        was, left, right = before.get(key), mine.get(key), others.get(key)
        chosen = right if left == was else left
        is_changed_twice = left and right and was not in (left, right) and left != right
        if chosen and (is_changed_twice or (is_parted and was is None)):
            chosen = _open(chosen)
        if chosen is not None:
            found[key] = chosen
    comments = dict.fromkeys(
        line
        for line in (ours + theirs).splitlines()
        if line.startswith("#") and not line.startswith(FILES)
    )
    about_backfills = [line for line in comments if line.startswith(BACKFILLS)]
    parts = (
        [line for line in comments if line not in about_backfills],
        [line for key, line in found.items() if key[0] == _BASELINE],
        [line for key, line in found.items() if key[0] not in (_BASELINE, _BACKFILL)],
        about_backfills,
        [line for key, line in found.items() if key[0] == _BACKFILL],
    )
    return "".join(f"{line}\n" for part in parts for line in part)


def _lines(text: str) -> Mapping[tuple[str, ...], str]:
    """The lines that are no comments, by what they are about: of a revision its id and its name."""
    split = ((line, line.split()) for line in text.splitlines() if not line.startswith("#"))
    return {
        (fields[0], fields[3]) if len(fields) > _OF_FILE else tuple(fields[:2]): line
        for line, fields in split
        if fields
    }


def _open(line: str) -> str:
    """The line of a revision without fingerprint and verdict."""
    fields = line.split()
    return "  ".join([*fields[:_OF_FILE], "-", "-/-"]) if len(fields) > _OF_FILE else line
