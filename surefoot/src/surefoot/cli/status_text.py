"""A Status as text: the headline, a table, waits, what needs attention, what is next."""

from collections.abc import Iterator, Sequence

from surefoot.overview.model import Link
from surefoot.overview.status import Status
from surefoot.terminal.cells import cut, width
from surefoot.wording import counted, duration

# So many revisions are shown that are applied, the newest, and that are pending, the next ones.
APPLIED, PENDING = 5, 10
# State, revision and what it does are always shown, and of the last at least so many cells.
_FEWEST, _SHORTEST = 3, 10
_HEADER = ("STATE", "REVISION", "WHEN (UTC)", "TOOK", "BY", "WHAT")


def render(found: Status, *, where: str, whole: bool, columns: int | None = None) -> Iterator[str]:
    """The lines; `where` stands behind the name of the database, `whole` shows every revision.

    `columns` is the width of the terminal that shows them; without one the table has all columns.
    """
    seen, said = found.seen, found.summary
    name = "" if found.word in ("diverged", "ahead") else f"{seen.database}{where}: "
    yield f"{found.word.upper().replace('-', ' ')}  {name}{said}"
    yield from _table(seen.chain, whole=whole, columns=columns)
    unseen = [f"{part} was not looked at: {why}" for part, why in found.not_looked_at.items()]
    # The command that helps is told once.
    yield from _listed("Waits:", [each.removesuffix(f": {found.next}") for each in found.waits])
    yield from _listed("Note:", unseen)
    for notice in seen.attention:
        yield f"ATTENTION [{notice.code}]  {notice.message}"
        if notice.help is not None:
            yield f"  help: {notice.help}"
    yield f"Next:  {found.next}"


def _table(chain: Sequence[Link], *, whole: bool, columns: int | None) -> Iterator[str]:
    applied = [link for link in chain if link.state == "applied"]
    others = [link for link in chain if link.state != "applied"]
    if not chain:
        return
    shown = applied if whole else applied[-APPLIED:]
    following = others if whole else others[:PENDING]
    yield ""
    yield from _fitted([_HEADER, *map(_cells, (*shown, *following))], columns)
    left = {"older": len(applied) - len(shown), "later": len(others) - len(following)}
    more = [counted(number, f"{which} revision") for which, number in left.items() if number]
    if more:
        yield f"  and {', '.join(more)}: --all"
    yield ""


def _fitted(rows: Sequence[Sequence[str]], columns: int | None) -> Iterator[str]:
    """The table without the columns that a terminal has no room for; the last one is cut."""
    kept = list(range(len(_HEADER)))
    while True:
        widths = [max(width(row[n]) for row in rows) for n in kept]
        others = sum(each + 2 for each in widths[:-1]) + 2
        if columns is None or others + widths[-1] <= columns or len(kept) == _FEWEST:
            break
        # First who, then how long, then when.
        del kept[-2]
    for row in rows:
        *first, last = (row[n] for n in kept)
        cells = "".join(
            cell + " " * (w - width(cell) + 2) for cell, w in zip(first, widths, strict=False)
        )
        text = last if columns is None else cut(last, max(columns - others, _SHORTEST))
        yield f"  {cells}{text}".rstrip()


def _cells(link: Link) -> tuple[str, ...]:
    when = f"{link.finished_at:%Y-%m-%d %H:%M}" if link.finished_at is not None else ""
    took = duration(link.duration_s) if link.duration_s is not None else ""
    what = link.title if link.known else "not in this build"
    return (link.state, link.id, when, took, link.by or "", what)


def _listed(label: str, lines: Sequence[str]) -> Iterator[str]:
    """The lines in a column, the label before the first."""
    for number, line in enumerate(lines):
        yield f"{'' if number else label:<7}{line}"


def where_of(*, target: str | None, production: bool) -> str:
    """The target and whether it is in production, behind the name of a database."""
    named = [] if target is None else [f"target {target}"]
    named += ["production"] if production else []
    return f" ({', '.join(named)})" if named else ""
