"""lint runs revisions on a scratch database, and returns the findings of the rules.

revisions -> trace -> TracedRevisions -> rules -> Findings - those that a file suppresses
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import text

from surefoot.chain.revisions import CLEAN, UNKNOWN, Revision, ancestors
from surefoot.connect.failures import sqlstate
from surefoot.errors import Refused
from surefoot.rules.downgrades import in_downgrade
from surefoot.rules.findings import Finding, Hit, TracedRevision, examine, finding
from surefoot.rules.gaps import UNSEEN
from surefoot.rules.registry import RULES
from surefoot.rules.source import UNUSED
from surefoot.rules.squawk import is_installed, remarks
from surefoot.rules.suppressions import Suppression, suppressions
from surefoot.run.events import Listen, ignore
from surefoot.target import Target
from surefoot.trace.trace import ROWS, ZONE, Trace, trace

# So many revisions are traced before their verdicts are kept.
PORTION = 50
# The place that the reason of a failure begins with.
_PLACE = re.compile(r"\S+\.py:(\d+): ")


@dataclass(frozen=True)
class Suppressed:
    """A finding, and the comment in its file that lets it pass."""

    finding: Finding
    by: Suppression

    def render(self) -> str:
        """Place, rule, scope and reason of the comment."""
        said = f"[{self.by.rule}]  {self.by.scope}: {self.by.reason}"
        return f"{os.path.relpath(self.finding.path)}:{self.by.line}\n  allowed {said}"


@dataclass(frozen=True)
class Linted:
    """The result: the findings, and the trace that they come from."""

    findings: tuple[Finding, ...]
    trace: Trace
    units: tuple[TracedRevision, ...] = ()
    # The findings that the files suppress.
    suppressed: tuple[Suppressed, ...] = ()
    # The major version of PostgreSQL that it is for, and that of the scratch server.
    major: int | None = None
    tried_on: int | None = None
    # The names of the backfills that were tried.
    backfills: tuple[str, ...] = ()

    @property
    def mismatch(self) -> str | None:
        """A sentence, where the scratch server has another major version than the database."""
        if self.major == self.tried_on or self.tried_on is None:
            return None
        return (
            f"tried on PostgreSQL {self.tried_on}, and the database has {self.major}: syntax, "
            "locks and rewrites may differ"
        )


Complete = Callable[[Linted, int], Linted]
# The result for no revision.
NOTHING = Linted((), Trace(()))


async def lint(
    scratch: Target,
    revisions: Sequence[Revision],
    wanted: Iterable[str] | None = None,
    *,
    rows: int = ROWS,
    back: bool = False,
    downgrades: bool = False,
    major: int | None = None,
    zone: str = ZONE,
    listen: Listen = ignore,
) -> Linted:
    """Lint the revisions `wanted` (all by default) of a chain, in its order.

    `scratch` is an empty database, or one at the revision before them; `rows`, `back`, `zone` and
    `listen` are passed to `trace`. With `downgrades` those are traced and judged too. The rules are
    those for `major`, by default that of the scratch database.
    """
    chosen = chosen_of(revisions, wanted)
    if not chosen:
        return NOTHING
    tried_on = await server_major(scratch)
    major = major or tried_on
    folders = {_path(each).parent for each in chosen}
    start, to = chosen[0].down, _last_of(chosen, revisions)
    text = "\n".join(_path(revision).read_text("utf-8-sig") for revision in chosen)
    how: dict[str, Any] = {"rows": rows, "back": back or downgrades, "zone": zone, "listen": listen}
    traced = await trace(scratch, folders, start=start, to=to, text=text, **how)
    linted = judgement(chosen, traced, major, downgrades=downgrades)
    return replace(linted, tried_on=tried_on)


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


def judgement(
    chosen: Sequence[Revision], traced: Trace, major: int, *, downgrades: bool = False
) -> Linted:
    """The findings of the rules for that major version in a trace of the revisions."""
    found = units(chosen, traced, major)
    if downgrades and traced.back is not None:
        back = traced.back
        found = [
            replace(
                unit,
                back=[s for s in back.statements if s.revision == unit.revision],
                back_stopped=getattr(back.failure, "reason", None)
                if back.stopped_at == unit.revision
                else None,
            )
            for unit in found
        ]
    verdicts = [judged(unit, major) for unit in found]
    findings = tuple(finding for kept, _ in verdicts for finding in kept)
    passed = tuple(each for _, suppressed in verdicts for each in suppressed)
    return Linted(findings, traced, tuple(found), passed, major)


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


async def with_verdicts(
    scratch: Target,
    revisions: Sequence[Revision],
    complete: Complete | None = None,
    listen: Listen = ignore,
    *,
    wanted: Sequence[str] | None = None,
) -> tuple[tuple[Revision, ...], Linted]:
    """Lint those `wanted`, by default all that are to be judged, from the first to the last.

    Returns all, with verdicts, and the result. `complete` may change the result, which includes
    the trace of the downgrades for it.

    revisions.lock keeps the verdicts: an upgrade in production lints nothing. One stays valid as
    long as its seal is that of the file. `scratch` is as for `lint`.
    """
    if wanted is None:
        wanted = [each for portion in portions(revisions) for each in portion]
    linted = await lint(scratch, revisions, wanted, back=complete is not None, listen=listen)
    if complete is not None:
        linted = complete(linted, await server_major(scratch))
    broken: dict[str, set[str]] = {}
    for each in linted.findings:
        if each.level == "error":
            rule = UNKNOWN if each.rule in UNSEEN else each.rule
            broken.setdefault(each.revision, set()).add(rule)
    given = (
        replace(revision, verdict="+".join(sorted(broken.get(revision.id, ()))) or CLEAN)
        if revision.id in wanted
        else revision
        for revision in revisions
    )
    return tuple(given), linted


def units(revisions: Iterable[Revision], traced: Trace, major: int) -> Sequence[TracedRevision]:
    """The revisions with their statements, and the remarks of squawk for that major version."""
    found, chosen = [], tuple(revisions)
    applied = traced.applied([revision.id for revision in chosen])
    # Of all in one process: a program takes longer to start than to look at a revision.
    told = remarks(traced.statements, major)
    for revision in chosen:
        path = _path(revision)
        statements = tuple(s for s in traced.statements if s.revision == revision.id)
        complete = revision.id in applied and revision.id in traced.lines
        failure = traced.failure if traced.stopped_at == revision.id else None
        stopped = None if complete else _stopped(traced, revision, chosen)
        place = _PLACE.match(stopped or "")
        found.append(
            TracedRevision(
                revision.id,
                path,
                revision.phase,
                statements,
                failure.code if failure else None,
                sqlstate(failure) if failure else None,
                path.read_text("utf-8-sig"),
                [each for each in told if each.statement.revision == revision.id],
                complete=complete,
                stopped=stopped,
                stopped_line=int(place[1]) if place else 1,
                executed=traced.lines.get(revision.id) if complete else None,
            )
        )
    return found


def _stopped(traced: Trace, revision: Revision, chosen: Sequence[Revision]) -> str:
    """Why a revision was not run to its end."""
    failure, at = traced.failure, traced.stopped_at
    ids = [each.id for each in chosen]
    if at != revision.id and (at in ids or (failure and revision is not chosen[0])):
        return f"{at or ids[0]} before it was not"
    if failure is None:
        return "no upgrade to the newest of them comes to it"
    of_revision = hasattr(failure, "revision")
    reason = (getattr(failure, "reason", "") if of_revision else "") or failure.message
    if isinstance(failure, Refused) and getattr(failure, "revision", None) == revision.id:
        # A suppression does not let it run.
        return f"{reason}; {failure.help}"
    return reason if at in (revision.id, None) else f"{at} before it failed: {reason}"


def judged(unit: TracedRevision, major: int) -> tuple[Sequence[Finding], Sequence[Suppressed]]:
    """The findings that the file does not suppress, and those that it does."""
    found = [*examine(unit, RULES.values(), major)]
    found += dict.fromkeys(in_downgrade(unit, RULES.values(), major))
    stated = suppressions(unit.source)
    let = [Suppressed(f, by) for f in found for by in stated if by.covers(f.rule, f.line)]
    passed, used = {each.finding for each in let}, {each.by for each in let}
    kept = [each for each in found if each not in passed]
    broken = {each.rule for each in found}
    unused = (each for each in stated if each not in used)
    kept += [_unused(unit, each, broken) for each in unused if _is_unused(unit, each, major)]
    return sorted(kept, key=lambda f: (f.line, f.rule)), let


def _is_unused(unit: TracedRevision, suppression: Suppression, major: int) -> bool:
    """Whether that is known: squawk may not be installed, the run may not have come to it."""
    rule = RULES.get(suppression.rule)
    if rule is None:
        return True
    return rule.holds(major) and unit.complete and (rule.seen != "squawk" or is_installed())


def _unused(unit: TracedRevision, suppression: Suppression, broken: set[str]) -> Finding:
    why = "which the revision does not break"
    if suppression.rule not in RULES:
        why = "which does not exist"
    elif suppression.rule in broken:
        why = f"which the revision does not break {suppression.scope}"
    hit = Hit(line=suppression.line, values={"rule": suppression.rule, "why": why})
    return finding(unit, UNUSED, hit)


async def server_major(target: Target) -> int:
    """The major version of PostgreSQL."""
    async with target.engine.connect() as connection:
        number = await connection.scalar(text("SELECT current_setting('server_version_num')::int"))
    return int(number) // 10000


def _path(revision: Revision) -> Path:
    if revision.path is None:
        raise ValueError(f"{revision.id} was not read from a file")
    return revision.path
