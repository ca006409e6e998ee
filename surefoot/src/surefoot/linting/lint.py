"""lint runs revisions on a scratch database, and returns the findings of the rules.

revisions -> trace -> TracedRevisions -> rules -> Findings - those that a file suppresses
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import text

from surefoot.chain.revisions import CLEAN, Revision
from surefoot.connect.failures import sqlstate
from surefoot.rules.findings import Finding, Hit, TracedRevision, examine, finding
from surefoot.rules.registry import RULES
from surefoot.rules.source import UNUSED
from surefoot.rules.squawk import is_installed, remarks
from surefoot.rules.suppressions import Suppression, suppressions
from surefoot.target import Target
from surefoot.trace.trace import ROWS, Trace, trace


@dataclass(frozen=True)
class Linted:
    """The result: the findings, and the trace that they come from."""

    findings: tuple[Finding, ...]
    trace: Trace
    units: tuple[TracedRevision, ...] = ()
    # The number of findings that the files suppress.
    suppressed: int = 0


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
) -> Linted:
    """Lint the revisions `wanted` (all by default) of a chain, in its order.

    `scratch` is an empty database, or one at the revision before them; `rows` and `back` are passed
    to `trace`. On failure: as `trace`.
    """
    ids = set(wanted) if wanted is not None else {r.id for r in revisions}
    chosen = [r for r in revisions if r.id in ids]
    if not chosen:
        return NOTHING
    folder, start, to = _path(chosen[0]).parent, chosen[0].down, chosen[-1].id
    traced = await trace(scratch, folder, start=start, to=to, rows=rows, back=back)
    major = await server_major(scratch)
    found = units(chosen, traced, major)
    verdicts = [judged(unit, major) for unit in found]
    findings = tuple(finding for kept, _ in verdicts for finding in kept)
    return Linted(findings, traced, tuple(found), sum(count for _, count in verdicts))


async def with_verdicts(
    scratch: Target, revisions: Sequence[Revision], complete: Complete | None = None
) -> tuple[tuple[Revision, ...], Linted]:
    """Lint the revisions that have no clean verdict; return all with verdicts, and the result.

    `complete` may change the result, which includes the trace of the downgrades for it.

    revisions.lock keeps the verdicts: an upgrade in production lints nothing. A clean one stays
    valid: the file has not changed since. `scratch` is an empty database. On failure: as `lint`.
    """
    wanted = [revision.id for revision in revisions if revision.verdict != CLEAN]
    linted = await lint(scratch, revisions, wanted, back=complete is not None)
    if complete is not None:
        linted = complete(linted, await server_major(scratch))
    broken: dict[str, set[str]] = {}
    for each in linted.findings:
        if each.level == "error":
            broken.setdefault(each.revision, set()).add(each.rule)
    judged = (
        replace(revision, verdict="+".join(sorted(broken.get(revision.id, ()))) or CLEAN)
        if revision.id in wanted
        else revision
        for revision in revisions
    )
    return tuple(judged), linted


def units(revisions: Iterable[Revision], traced: Trace, major: int) -> Sequence[TracedRevision]:
    """The revisions with their statements, and the remarks of squawk for that major version."""
    found, chosen = [], tuple(revisions)
    applied = traced.applied([revision.id for revision in chosen])
    for revision in chosen:
        path = _path(revision)
        statements = tuple(s for s in traced.statements if s.revision == revision.id)
        failure = traced.failure
        if getattr(failure, "revision", None) != revision.id:
            failure = None
        found.append(
            TracedRevision(
                revision.id,
                path,
                revision.phase,
                statements,
                failure.code if failure else None,
                sqlstate(failure) if failure else None,
                path.read_text("utf-8"),
                remarks(statements, major),
                complete=revision.id in applied,
            )
        )
    return found


def judged(unit: TracedRevision, major: int) -> tuple[Sequence[Finding], int]:
    """The findings that the file does not suppress, and the number of those that it does."""
    found = examine(unit, RULES.values(), major)
    allowed = {each.rule: each for each in suppressions(unit.source)}
    kept = [each for each in found if each.rule not in allowed]
    used = {each.rule for each in found}
    kept += [
        _unused(unit, each) for each in allowed.values() if _is_unused(unit, each, used, major)
    ]
    return sorted(kept, key=lambda f: (f.line, f.rule)), sum(f.rule in allowed for f in found)


def _is_unused(unit: TracedRevision, suppression: Suppression, used: set[str], major: int) -> bool:
    rule = RULES.get(suppression.rule)
    if rule is None:
        return True
    # Squawk may not be installed.
    looked = unit.complete and (rule.seen != "squawk" or is_installed())
    return rule.id not in used and rule.holds(major) and looked


def _unused(unit: TracedRevision, suppression: Suppression) -> Finding:
    known = suppression.rule in RULES
    why = "which the revision does not break" if known else "which does not exist"
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
