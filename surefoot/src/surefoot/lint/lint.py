"""lint: the findings of revisions, by running them on a scratch database and reading their files.

revisions -> trace -> TracedRevisions -> rules -> Findings - those that a file suppresses
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from surefoot.chain.revisions import Revision
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
    """What was found, and the trace it was found in."""

    findings: tuple[Finding, ...]
    trace: Trace
    units: tuple[TracedRevision, ...] = ()
    # How many findings the files themselves allow.
    suppressed: int = 0


# Of no revision.
NOTHING = Linted((), Trace(()))


async def lint(
    scratch: Target,
    revisions: Sequence[Revision],
    wanted: Iterable[str] | None = None,
    *,
    rows: int = ROWS,
    back: bool = False,
) -> Linted:
    """Findings of the revisions `wanted` (all by default) of a chain, in its order.

    `scratch` is a database that may be filled, empty or where the first of them begins; `rows` and
    `back` are those of `trace`. On failure: what `trace` meets before the first of them.
    """
    ids = set(wanted) if wanted is not None else {r.id for r in revisions}
    chosen = [r for r in revisions if r.id in ids]
    if not chosen:
        return NOTHING
    traced = await trace(
        scratch, _folder(chosen), start=chosen[0].down, to=chosen[-1].id, rows=rows, back=back
    )
    major = await server_major(scratch)
    findings: list[Finding] = []
    suppressed = 0
    found = units(chosen, traced, major)
    for unit in found:
        kept, without = judged(unit, major)
        findings += kept
        suppressed += without
    return Linted(tuple(findings), traced, tuple(found), suppressed)


def units(revisions: Iterable[Revision], traced: Trace, major: int) -> Sequence[TracedRevision]:
    """The revisions with the statements that each executed, on a PostgreSQL of that major."""
    found = []
    stopped = _stopped_in(traced)
    for revision in revisions:
        path = revision.path
        if path is None:
            raise ValueError(f"{revision.id} was not read from a file")
        statements = tuple(s for s in traced.statements if s.path == path)
        stops = traced.failure is not None and revision.id == stopped
        found.append(
            TracedRevision(
                revision.id,
                path,
                revision.phase,
                statements,
                traced.failure.code if stops and traced.failure else None,
                sqlstate(traced.failure) if stops and traced.failure else None,
                path.read_text("utf-8"),
                remarks(statements, major),
            )
        )
    return found


def judged(unit: TracedRevision, major: int) -> tuple[Sequence[Finding], int]:
    """The findings of a revision that its file does not suppress, and how many it does."""
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
    # A revision that failed did not come to all its statements, and squawk may not be here.
    looked = unit.failure is None and (rule.seen != "squawk" or is_installed())
    return rule.id not in used and rule.holds(major) and looked


def _unused(unit: TracedRevision, suppression: Suppression) -> Finding:
    known = suppression.rule in RULES
    why = "which nothing here breaks" if known else "and there is no such rule"
    hit = Hit(line=suppression.line, values={"rule": suppression.rule, "why": why})
    return finding(unit, UNUSED, hit)


async def server_major(target: Target) -> int:
    """The major version of PostgreSQL."""
    async with target.engine.connect() as connection:
        number = await connection.scalar(text("SELECT current_setting('server_version_num')::int"))
    return int(number) // 10000


def _folder(revisions: Sequence[Revision]) -> Path:
    path = revisions[0].path
    if path is None:
        raise ValueError(f"{revisions[0].id} was not read from a file")
    return path.parent


def _stopped_in(traced: Trace) -> str | None:
    return getattr(traced.failure, "revision", None)
