"""A Status as text: the headline, a table, waits, what needs attention, what is next."""

from collections.abc import Iterator, Sequence

from surefoot.overview.model import Link
from surefoot.overview.status import Status
from surefoot.wording import counted, duration

# So many revisions are shown that are applied, the newest, and that are pending, the next ones.
APPLIED, PENDING = 5, 10
_HEADER = ("STATE", "REVISION", "WHEN (UTC)", "TOOK", "BY", "WHAT")


def render(found: Status, *, where: str, whole: bool) -> Iterator[str]:
    """The lines; `where` stands behind the name of the database, `whole` shows every revision."""
    seen, said = found.seen, found.summary
    name = "" if found.word in ("diverged", "ahead") else f"{seen.database}{where}: "
    yield f"{found.word.upper().replace('-', ' ')}  {name}{said}"
    yield from _table(seen.chain, whole=whole)
    unseen = [f"{part} was not looked at: {why}" for part, why in found.not_looked_at.items()]
    yield from _listed("Waits:", found.waits)
    yield from _listed("Note:", unseen)
    for notice in seen.attention:
        yield f"ATTENTION [{notice.code}]  {notice.message}"
        if notice.help is not None:
            yield f"  help: {notice.help}"
    yield f"Next:  {found.next}"


def _table(chain: Sequence[Link], *, whole: bool) -> Iterator[str]:
    applied = [link for link in chain if link.state == "applied"]
    others = [link for link in chain if link.state != "applied"]
    if not chain:
        return
    shown = applied if whole else applied[-APPLIED:]
    following = others if whole else others[:PENDING]
    rows = [_HEADER, *map(_cells, (*shown, *following))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield ""
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()
    left = {"older": len(applied) - len(shown), "later": len(others) - len(following)}
    more = [counted(number, f"{which} revision") for which, number in left.items() if number]
    if more:
        yield f"  and {', '.join(more)}: --all"
    yield ""


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
