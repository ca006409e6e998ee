"""A Picture as Markdown."""

from collections.abc import Iterator, Sequence

from surefoot.markup import code, prose, table
from surefoot.schema.picture import Box, Picture, Row

_HEADS = ("Column", "Type", "Null", "Default", "Key", "Comment")


def markdown(picture: Picture) -> str:
    """A table for each table; of a difference with a column that says what has changed."""
    is_difference = picture.same is not None
    parts = [f"### {prose(picture.title)}", prose(picture.summary)]
    for box in picture.boxes:
        parts += _box(box, is_difference)
    return "\n\n".join(parts)


def _box(box: Box, is_difference: bool) -> Iterator[str]:
    title = code(box.name) if box.name else "Beside tables"
    is_marked = is_difference and box.name
    yield f"#### {title}{f' ({box.mark})' if is_marked else ''}"
    if box.comment:
        yield prose(box.comment)
    if box.was:
        yield prose(f"Its {'; its '.join(box.was)}.")
    if box.columns:
        heads = ("Change", *_HEADS) if is_difference else _HEADS
        yield table(heads, [_column(each, is_difference) for each in box.columns])
    if box.others:
        yield "\n".join(f"- {_other(each)}" for each in box.others)


def _column(row: Row, is_difference: bool) -> Sequence[str]:
    cells = (
        code(row.name),
        code(row.text),
        "no" if row.is_required else "yes",
        code(row.default) if row.default else "",
        _key(row),
        prose(row.comment or ""),
    )
    return (prose(change(row)), *cells) if is_difference else cells


def _key(row: Row) -> str:
    to = ", ".join(map(code, row.refers))
    return ", ".join(f"{each} to {to}" if each == "foreign key" else each for each in row.keys)


def change(row: Row) -> str:
    """Its mark, and the former values."""
    return "; ".join(row.was) if row.was else row.mark


def _other(row: Row) -> str:
    said = f"{row.kind} {code(row.name)}"
    if row.text and row.kind not in ("view", "materialized view", "function", "procedure"):
        said += f": {code(row.text)}"
    if row.comment:
        said += f" – {prose(row.comment)}"
    return f"{said} **{prose(change(row))}**" if row.mark else said
