"""A Picture as SVG: tables in columns, each to the right of those that it refers to.

It has no script and loads nothing, and is readable on a light and on a dark ground.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from surefoot.errors.disclosure import disclosed
from surefoot.frozen import dataclass
from surefoot.schema.markdown import change
from surefoot.schema.picture import Box, Mark, Picture, Row
from surefoot.terminal.cells import cut
from surefoot.terminal.cells import width as cells

# Of a sign in the typeface, and of a line, in pixels.
_SIGN, _LINE = 7.3, 19
_GAP, _SPACE, _PAD = 26, 64, 10
LONGEST = 60
_SIGNS: Mapping[Mark, str] = {"": " ", "added": "+", "gone": "−", "changed": "~"}
_SHORT = {"primary key": "PK", "foreign key": "FK", "unique": "UK"}
_STYLE = """\
.s{color-scheme:light dark;--g:#fff;--t:#1b1f24;--q:#57606a;--l:#8c959f;--h:#eef1f4;
--added:#116329;--gone:#b3121d;--changed:#7d4e00}
@media (prefers-color-scheme:dark){.s{--g:#0d1117;--t:#e6edf3;--q:#9ba5b0;--l:#6e7681;--h:#21262d;
--added:#4ec269;--gone:#ff8a80;--changed:#e3b341}}
.s text{font:12px ui-monospace,"DejaVu Sans Mono",monospace;fill:var(--t);white-space:pre}
.s .ground{fill:var(--g)}.s .box{fill:var(--g);stroke:var(--l)}.s .head{fill:var(--h)}
.s .name{font-weight:bold}.s .quiet{fill:var(--q)}.s .way{fill:none;stroke:var(--l)}
.s .added{fill:var(--added)}.s .gone{fill:var(--gone);text-decoration:line-through}
.s .changed{fill:var(--changed)}
.s rect.added,.s rect.gone,.s rect.changed{fill:none;stroke-width:2}
.s rect.added{stroke:var(--added)}.s rect.gone{stroke:var(--gone);stroke-dasharray:5 3}
.s rect.changed{stroke:var(--changed)}"""


@dataclass(frozen=True)
class Placed:
    """A box with its place."""

    box: Box
    # The text of each row, its comment, and its class.
    lines: tuple[tuple[str, str, str], ...]
    x: int
    y: int
    width: int

    @property
    def height(self) -> int:
        return (len(self.lines) + 1) * _LINE + _PAD

    def line_y(self, number: int) -> int:
        """The middle of a line; of the head it is number 0."""
        return self.y + number * _LINE + _LINE // 2 + (3 if number else 0)


def svg(picture: Picture) -> str:
    """The picture, with a title and a description for those who cannot see it."""
    placed = _placed(picture)
    width = max(620, *(each.x + each.width + _GAP for each in placed), 0)
    height = max((each.y + each.height for each in placed), default=60) + _GAP
    inner = [*_ways(placed), *(line for each in placed for line in _drawn(each))]
    title, description = _text(picture.title), _text("\n".join(_described(picture)))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="s" role="img" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}" aria-labelledby="title desc">',
            f'<title id="title">{title}</title>',
            f'<desc id="desc">{description}</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{width}" height="{height}"/>',
            f'<text class="name" x="{_GAP}" y="24">{title}</text>',
            f'<text class="quiet" x="{_GAP}" y="42">{_text(_legend(picture))}</text>',
            *inner,
            "</svg>",
        ]
    )


def _legend(picture: Picture) -> str:
    signs = "" if picture.same is None else "  + added  − gone  ~ changed"
    return f"{picture.summary}  ? may be null  PK primary, FK foreign, UK unique key{signs}"


def _described(picture: Picture) -> Iterator[str]:
    yield picture.summary
    for box in picture.boxes:
        mark = f" ({box.mark})" if box.mark else ""
        rows = (f"{row.name} {change(row)}" if row.mark else row.name for row in box.rows)
        yield f"{box.name or 'Beside tables'}{mark}: {', '.join(rows)}."


def _placed(picture: Picture) -> Sequence[Placed]:
    """The boxes in columns: a table is to the right of those that it refers to."""
    depth = _depths(picture.boxes)
    placed: list[Placed] = []
    x = _GAP
    for column in range(max(depth.values(), default=0) + 1):
        y, widest = 60, 0
        for box in (each for each in picture.boxes if depth[each.name] == column):
            lines = tuple(_lines(box))
            heads = [_head(box), *(f"{line}  {note}" if note else line for line, note, _ in lines)]
            width = round(max(map(cells, heads)) * _SIGN) + 2 * _PAD
            placed.append(Placed(box, lines, x, y, width))
            y, widest = y + placed[-1].height + _GAP, max(widest, width)
        x += widest + _SPACE
    return placed


def _depths(boxes: Sequence[Box]) -> Mapping[str, int]:
    """How far to the right each box stands; a circle of references is cut where it closes."""
    refers = {box.name: {to for row in box.rows for to in row.refers} - {box.name} for box in boxes}
    found: dict[str, int] = {}

    def depth(name: str, above: frozenset[str]) -> int:
        if name not in found:
            below = [each for each in refers[name] if each in refers and each not in above]
            within = above | {name}
            found[name] = max((depth(each, within) + 1 for each in sorted(below)), default=0)
        return found[name]

    for name in refers:
        depth(name, frozenset())
    return found


def _ways(placed: Sequence[Placed]) -> Iterator[str]:
    """A line from each referring column to the table."""
    by_name = {each.box.name: each for each in placed}
    for each in placed:
        for number, row in enumerate(each.box.rows, 2 if each.box.comment else 1):
            for to in row.refers:
                if (other := by_name.get(to)) is not None:
                    yield _way(each, number, other, row)


def _way(of: Placed, number: int, to: Placed, row: Row) -> str:
    start_x, start_y, end_y = of.x, of.line_y(number), to.line_y(0)
    end_x = to.x + to.width if to.x + to.width <= of.x else to.x
    bend = max((start_x - end_x) // 2, 24)
    after = end_x + bend if end_x > to.x else end_x - bend
    path = f"M{start_x} {start_y}C{start_x - bend} {start_y} {after} {end_y} {end_x} {end_y}"
    return (
        f'<path class="way" d="{path}"><title>{_text(of.box.name)}.{_text(row.name)} refers to '
        f"{_text(to.box.name)}</title></path>"
        f'<circle class="quiet" cx="{end_x}" cy="{end_y}" r="3"/>'
    )


def _drawn(placed: Placed) -> Iterator[str]:
    box, x, y, width = placed.box, placed.x, placed.y, placed.width
    inner = width - 2
    mark = f" {box.mark}" if box.mark and box.name else ""
    yield f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{placed.height}" rx="4"/>'
    yield f'<rect class="head" x="{x + 1}" y="{y + 1}" width="{inner}" height="{_LINE}" rx="3"/>'
    if mark:
        yield (
            f'<rect class="{box.mark}" x="{x}" y="{y}" width="{width}" height="{placed.height}" '
            'rx="4"/>'
        )
    at = f'x="{x + _PAD}" y="{placed.line_y(0) + 5}"'
    yield f'<text class="name{mark}" {at}>{_text(_head(box))}</text>'
    for number, (line, note, kind) in enumerate(placed.lines, 1):
        at = f'x="{x + _PAD}" y="{placed.line_y(number) + 5}"'
        said = f'<tspan class="quiet">  {_text(note)}</tspan>' if note else ""
        yield f'<text {at}><tspan class="{kind}">{_text(line)}</tspan>{said}</text>'


def _head(box: Box) -> str:
    return f"{_SIGNS[box.mark] if box.name else ' '} {_cut(box.name or 'Beside tables')}"


def _lines(box: Box) -> Iterator[tuple[str, str, str]]:
    """A line for each row: sign, name, type and keys of a column; then its comment."""
    columns = [(_cut(row.name), _type(row)) for row in box.columns]
    name_room, type_room = (max((cells(each[n]) for each in columns), default=0) for n in (0, 1))
    if box.comment:
        yield "", _cut(box.comment), "quiet"
    for row in box.rows:
        note = _cut("; ".join(filter(None, (*row.was, row.comment))))
        if row.kind == "column":
            name, type_ = _padded(_cut(row.name), name_room), _padded(_type(row), type_room)
            keys = " ".join(_SHORT[each] for each in row.keys)
            yield f"{_SIGNS[row.mark]} {name}  {type_}  {keys}".rstrip(), note, row.mark
        else:
            yield f"{_SIGNS[row.mark]} {row.kind} {_cut(row.name)}", note, row.mark or "quiet"


def _type(row: Row) -> str:
    return _cut(row.text) + ("" if row.is_required else "?")


def _padded(text: str, room: int) -> str:
    return text + " " * (room - cells(text))


def _cut(text: str) -> str:
    return cut(" ".join(disclosed(text).split()), LONGEST)


def _text(text: str) -> str:
    return escape(disclosed(text))
