"""lint runs revisions on a scratch database, and returns the findings of the rules.

revisions -> trace -> TracedRevisions -> rules -> Findings - those that a file suppresses
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from surefoot.chain.coding import text_of
from surefoot.chain.revisions import CLEAN, UNKNOWN, Revision, ancestors
from surefoot.chain.source import code_of
from surefoot.errors import Refused
from surefoot.linting.judging import Linted, judgement, path_of
from surefoot.project import Project
from surefoot.rules.gaps import UNSEEN
from surefoot.run.events import Listen, ignore
from surefoot.run.guards.mixture import mixture
from surefoot.run.scratch import in_turn, not_before
from surefoot.target import Target
from surefoot.trace.trace import ROWS, ZONE, Trace, trace

# So many revisions are traced before their verdicts are kept.
PORTION = 50

# The result for no revision.
NOTHING = Linted((), Trace(()))


async def lint(
    scratch: Target,
    revisions: Sequence[Revision],
    wanted: Iterable[str] | None = None,
    *,
    rows: int = ROWS,
    back: bool = False,
    retry: bool = True,
    downgrades: bool = False,
    major: int | None = None,
    zone: str = ZONE,
    listen: Listen = ignore,
) -> Linted:
    """Lint the revisions `wanted` (all by default) of a chain, in its order.

    `scratch` is an empty database, or one at the revision before them; `rows`, `back`, `retry`,
    `zone` and `listen` are passed to `trace`. With `downgrades` those are traced and judged too.
    The rules are those for `major`, by default that of the scratch database.
    """
    chosen = chosen_of(revisions, wanted)
    if not chosen:
        return NOTHING
    tried_on = await _server_major(scratch)
    major = major or tried_on
    folders = {path_of(each).parent for each in chosen}
    text = "\n".join(text_of(path_of(revision)) for revision in chosen)
    how: dict[str, Any] = {"rows": rows, "retry": retry, "zone": zone, "listen": listen}
    how["back"] = back or downgrades
    runs, refusal = _until_refused(chosen)
    traced = Trace((), refusal)
    if runs:
        below = not_before(Project.read(scratch.ini), revisions, chosen[0].down)
        start = in_turn(scratch, revisions, below)
        to = in_turn(scratch, revisions, _last_of(runs, revisions))
        traced = await trace(scratch, folders, start=start, to=to, text=text, **how)
        traced = replace(traced, failure=traced.failure or refusal)
    linted = judgement(chosen, traced, major, downgrades=downgrades)
    return replace(linted, tried_on=tried_on)


def _until_refused(chosen: Sequence[Revision]) -> tuple[Sequence[Revision], Refused | None]:
    """The revisions before the first one that no run takes, as its source shows, and why."""
    for number, revision in enumerate(chosen):
        code = code_of(str(path_of(revision)))
        refusal = None if revision.past else mixture(revision.id, code, "upgrade")
        if refusal is not None:
            return chosen[:number], refusal
    return chosen, None


def _last_of(chosen: Sequence[Revision], chain: Sequence[Revision]) -> Sequence[str]:
    """The revisions that no other chosen one builds on; several where they are in branches."""
    last: list[str] = []
    below: frozenset[str] = frozenset()
    for revision in reversed(chosen):
        if revision.id not in below:
            last.insert(0, revision.id)
            below |= ancestors(chain, [revision.id])
    return last


def chosen_of(revisions: Sequence[Revision], wanted: Iterable[str] | None) -> Sequence[Revision]:
    """The revisions `wanted`, in the order of the chain; all by default."""
    ids = set(wanted) if wanted is not None else {r.id for r in revisions}
    return [r for r in revisions if r.id in ids]


def portions(revisions: Sequence[Revision]) -> Sequence[Sequence[str]]:
    """The revisions that are to be judged, in lists of such that follow each other.

    They are those after the baseline without a verdict, and those that were not seen to their end.
    """
    found: list[list[str]] = []
    former = None
    for revision in revisions:
        if revision.is_unknown:
            if not found or former != found[-1][-1] or len(found[-1]) == PORTION:
                found.append([])
            found[-1].append(revision.id)
        former = revision.id
    return found


def with_verdicts(
    revisions: Sequence[Revision], linted: Linted, wanted: Collection[str]
) -> tuple[Revision, ...]:
    """The revisions, of which those `wanted` have the verdict of their findings.

    revisions.lock keeps the verdicts: an upgrade in production lints nothing. One stays valid as
    long as its seal is that of the file.
    """
    broken: dict[str, set[str]] = {}
    for each in linted.findings:
        if each.level == "error":
            rule = UNKNOWN if each.rule in UNSEEN else each.rule
            broken.setdefault(each.revision, set()).add(rule)
    return tuple(
        replace(revision, verdict="+".join(sorted(broken.get(revision.id, ()))) or CLEAN)
        if revision.id in wanted
        else revision
        for revision in revisions
    )


async def _server_major(target: Target) -> int:
    """The major version of PostgreSQL, which an engine asks for when it connects first."""
    dialect = target.engine.dialect
    if dialect.server_version_info is None:
        async with target.engine.connect():
            pass
    assert dialect.server_version_info is not None  # it has connected
    return int(dialect.server_version_info[0])
