"""The cells that a text takes on a terminal. One that is not known is counted as too wide."""

import unicodedata

_MARKS = ("Mn", "Me", "Cf")
# It asks for the wide form of the character before it.
_EMOJI = "\ufe0f"


def width(text: str) -> int:
    """The number of cells of one line; never less than a terminal takes for it."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def cut(text: str, cells: int) -> str:
    """The text on one line, cut so that it takes at most so many cells; `…` says that it was."""
    text = " ".join(text.split("\t")).replace("\n", " ")
    if width(text) <= cells:
        return text
    taken, kept = 1, 0  # the `…`
    for character in text:
        taken += _cells(character)
        if taken > cells:
            break
        kept += 1
    return text[:kept] + "…" if cells > 0 else ""


def _cells(character: str) -> int:
    if character == _EMOJI:
        return 1
    if unicodedata.category(character) in _MARKS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
