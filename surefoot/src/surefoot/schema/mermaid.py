"""A Picture as an entity relationship diagram of Mermaid, which GitHub and GitLab draw.

Mermaid has no colour for a column: what has changed is said in words.
"""

import re
from collections.abc import Iterator, Mapping

from surefoot.errors.disclosure import disclosed
from surefoot.schema.markdown import change
from surefoot.schema.picture import Box, Picture, Row

_KEYS = {"primary key": "PK", "foreign key": "FK", "unique": "UK"}
# A type or a name of a column takes no others.
_NO_WORD = re.compile(r"[^\w()\[\]-]+")
# Signs that would end a text, or begin something else in it.
_ACTIVE = re.compile(r"[^\w ,.:()/+*='?!-]")


def mermaid(picture: Picture) -> str:
    """The tables with their columns, and a line for each foreign key."""
    ids = {box.name: f"t{number}" for number, box in enumerate(picture.boxes, 1) if box.name}
    for box in picture.boxes:
        for row in box.rows:
            for to in row.refers:
                ids.setdefault(to, f"t{len(ids) + len(picture.boxes) + 1}")
    return "\n".join(["erDiagram", *_lines(picture, ids)])


def _lines(picture: Picture, ids: Mapping[str, str]) -> Iterator[str]:
    yield f"    accTitle: {_text(picture.title)}"
    yield f"    accDescr: {_text(picture.summary)}"
    drawn = {box.name for box in picture.boxes}
    for box in picture.boxes:
        if box.name:
            yield from _entity(box, ids[box.name])
        for row in box.others:
            if row.mark:
                yield f"    %% {_text(f'{row.kind} {row.name}: {change(row)}')}"
    for name, known in ids.items():
        if name not in drawn:
            yield f'    {known}["{_text(name)}"]'
    for box in picture.boxes:
        for row in box.columns:
            for to in row.refers:
                one = "||" if row.is_required else "|o"
                yield f'    {ids[to]} {one}--o{{ {ids[box.name]} : "{_text(row.name)}"'


def _entity(box: Box, known: str) -> Iterator[str]:
    mark = f" ({box.mark})" if box.mark else ""
    yield f'    {known}["{_text(box.name)}{mark}"] {{'
    for row in box.columns:
        yield f"        {_attribute(row)}"
    yield "    }"


def _attribute(row: Row) -> str:
    words = [_word(row.text), _word(row.name)]
    if row.keys:
        words.append(", ".join(_KEYS[each] for each in row.keys))
    said = [] if _word(row.name) == row.name else [row.name]
    said += [change(row)] if row.mark else []
    said += [row.comment] if row.comment else []
    if said:
        words.append(f'"{_text("; ".join(said))}"')
    return " ".join(words)


def _word(text: str) -> str:
    found = _NO_WORD.sub("_", text).strip("_") or "_"
    return found if re.match(r"[^\W\d]", found) else f"_{found}"


def _text(text: str) -> str:
    line = " ".join(disclosed(text).split())
    # A name of nothing but blanks would be an error.
    return _ACTIVE.sub(lambda found: f"#{ord(found[0])};", line) or "#32;"
