"""render() makes the page of an overview from one template. It has no script and loads nothing."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from surefoot.errors.disclosure import masked, printable
from surefoot.frozen import dataclass
from surefoot.overview import Overview, Unread
from surefoot.overview.model import Link
from surefoot.wording import counted, duration, roughly

_FOLDER = Path(__file__).parent
# The newest revisions are drawn and listed; earlier ones, long applied, are folded away.
DRAWN = 24
_A_ROW, _STEP, _ROW_HEIGHT = 6, 56, 64
_TICKED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Node:
    """A revision in the drawing."""

    link: Link
    x: int
    y: int

    @property
    def label(self) -> str:
        """Its id, cut to the room that there is."""
        return self.link.id if len(self.link.id) <= 8 else f"{self.link.id[:7]}…"


@dataclass(frozen=True)
class Drawing:
    """The position of every node and line, in the SVG's units."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    lines: tuple[str, ...]
    caption: str
    has_contract: bool


def render(seen: Overview, texts: Mapping[str, str] = {}, *, command: str = "surefoot") -> str:
    """The page, with the texts of the files of its newest revisions."""
    earlier, drawn = split(seen.chain)
    is_running = seen.happening is not None and not isinstance(seen.happening, Unread)
    shown = () if isinstance(seen.backfills, Unread) else seen.backfills
    html = _template().render(
        seen=seen,
        word=_word(seen),
        is_running=is_running,
        is_filling=any(each.state != "complete" for each in shown),
        style=Markup(_style()),  # noqa: S704 - a file of ours
        drawing=draw(drawn),
        drawn=drawn,
        earlier=earlier,
        texts=texts,
        command=command,
    )
    return printable(html)


def style_sha256() -> str:
    """The hash by which the page's Content-Security-Policy allows its style sheet."""
    return base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()


def draw(links: Sequence[Link]) -> Drawing:
    """The revisions in rows, with a line between neighbours."""
    nodes = tuple(
        Node(link, 28 + i % _A_ROW * _STEP, 22 + i // _A_ROW * _ROW_HEIGHT)
        for i, link in enumerate(links)
    )
    lines = tuple(_line(a, b) for a, b in pairwise(nodes))
    rows = max((len(nodes) + _A_ROW - 1) // _A_ROW, 1)
    counts = Counter(link.state for link in links)
    caption = ", ".join(f"{count} {state}" for state, count in counts.items())
    return Drawing(
        _A_ROW * _STEP,
        rows * _ROW_HEIGHT,
        nodes,
        lines,
        f"{caption or 'No revisions'}.",
        any(link.phase == "contract" for link in links),
    )


def _line(a: Node, b: Node) -> str:
    if a.y == b.y:
        return f"M{a.x} {a.y}H{b.x}"
    between = a.y + _ROW_HEIGHT - 25
    return f"M{a.x} {a.y}h24V{between}H{b.x - 24}V{b.y}H{b.x}"


def split(chain: Sequence[Link]) -> tuple[Sequence[Link], Sequence[Link]]:
    """The earlier revisions, and the newest, which are drawn."""
    first = next((i for i, link in enumerate(chain) if link.state != "applied"), len(chain))
    cut = max(min(first - 3, len(chain) - DRAWN), 0)
    return chain[:cut], chain[cut : cut + max(DRAWN, len(chain) - cut)]


def _word(seen: Overview) -> str:
    if seen.headline.is_ready:
        return "Ready, ahead" if seen.headline.state == "ahead" else "Ready"
    return "No answer" if seen.headline.state == "unreachable" else "Not ready"


@cache
def _style() -> str:
    return (_FOLDER / "style.css").read_text("utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        counted=counted,
        duration=duration,
        masked=masked,
        roughly=roughly,
        sentence=_sentence,
        ticked=_ticked,
        when=_when,
    )
    return environment.get_template("page.html")


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment is not None else "at an unknown time"


def _ticked(text: str) -> Markup:
    """The text as HTML, with `code` between backticks."""
    return Markup(_TICKED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _sentence(text: str) -> str:
    """The text with a capital letter first and a full stop at the end."""
    if not text:
        return text
    begin = len(text) - len(text.lstrip())
    whole = text[:begin] + text[begin : begin + 1].upper() + text[begin + 1 :]
    whole = whole if whole.endswith((".", "?", "!", ":")) else f"{whole}."
    return Markup(whole) if isinstance(text, Markup) else whole  # noqa: S704 - it was before
