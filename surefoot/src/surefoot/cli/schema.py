"""`surefoot schema`: the tables as they are at a revision, and what a revision changes."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import click

from surefoot.chain.revisions import Revision, heads
from surefoot.chain.typed import revision_typed
from surefoot.cli import output
from surefoot.cli.project import database, project
from surefoot.schema.markdown import markdown
from surefoot.schema.mermaid import mermaid
from surefoot.schema.picture import Picture, picture
from surefoot.schema.reading import catalogs
from surefoot.schema.sql import changed, sql
from surefoot.schema.svg import svg

_PICTURES: Mapping[str, Callable[[Picture], str]] = {
    "markdown": markdown,
    "mermaid": mermaid,
    "svg": svg,
}


@click.command(name="schema")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["sql", *_PICTURES]),
    default="sql",
    show_default=True,
    help="SQL that creates it, or a picture of the tables.",
)
@click.option("--at", metavar="REV", help="The revision; by default the newest.")
@click.option("--diff", metavar="A..B", help="From A to B; of REV alone, what it changes.")
def command(format_: str, at: str | None, diff: str | None) -> None:
    """Show the tables with their columns, keys and comments at a revision.

    The revisions run on a scratch database, and its catalog is read; nothing is read of the
    database of the project.

    With --diff only tables that change are shown: what is added, gone or changed is said in words
    and signs, and in SVG also by colour.

    \b
    Examples:
      surefoot schema --at 0004
      surefoot schema --format svg > schema.svg
      surefoot schema --diff 0004 --format markdown
      surefoot schema --diff 0004..head --format mermaid

    \b
    Exit codes: 0 shown; 2 usage; 4 or 75 a revision or the scratch server failed.
    """
    if at is not None and diff is not None:
        raise click.UsageError("name --at or --diff: one of them")
    found = project()
    chain = found.revisions()
    if diff is None:
        place = _place(chain, at or "heads")
        (seen,) = asyncio.run(catalogs(found, database(), [place]))
        shown = None if format_ == "sql" else picture(f"Schema at {_named(place)}", seen)
        output.answer(sql(seen) if shown is None else _PICTURES[format_](shown))
        return
    one, other = _places(chain, diff)
    before, after = asyncio.run(catalogs(found, database(), [one, other]))
    names = (_named(one), _named(other))
    if before == after:
        output.narrate(f"nothing differs between {names[0]} and {names[1]}")
    if format_ == "sql" and before != after:
        output.answer(changed(before, after, names))
    elif format_ != "sql":
        title = f"From {names[0]} to {names[1]}"
        output.answer(_PICTURES[format_](picture(title, after, before)))


def _named(place: Sequence[str]) -> str:
    return ", ".join(place) or "base"


def _places(chain: Sequence[Revision], diff: str) -> tuple[Sequence[str], Sequence[str]]:
    """Both sides; of one revision what it builds on, and itself. On failure: RevisionUnknown."""
    first, dots, last = diff.partition("..")
    if dots:
        return _place(chain, first or "base"), _place(chain, last or "heads")
    to = _place(chain, first)
    below = [down for each in chain if each.id in to for down in each.down]
    return tuple(dict.fromkeys(below)), to


def _place(chain: Sequence[Revision], name: str) -> Sequence[str]:
    """The revisions that a name means: base, head or heads, or one. On failure: RevisionUnknown."""
    if name == "base":
        return ()
    if name in ("head", "heads"):
        return tuple(sorted(heads(chain)))
    return (revision_typed(name, chain),)
