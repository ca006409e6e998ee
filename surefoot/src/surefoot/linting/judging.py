"""Judging: the rules on a trace of revisions, without what their files suppress."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from surefoot.chain.coding import text_of
from surefoot.chain.revisions import Revision
from surefoot.connect.failures import sqlstate
from surefoot.errors import Refused
from surefoot.frozen import dataclass
from surefoot.rules.downgrades import in_downgrade
from surefoot.rules.findings import Finding, Hit, TracedRevision, examine, finding
from surefoot.rules.registry import RULES
from surefoot.rules.source import UNUSED
from surefoot.rules.squawk import is_installed, remarks
from surefoot.rules.suppressions import Suppression, suppressions
from surefoot.trace.trace import Trace

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
    def behind(self) -> Mapping[str, str]:
        """The revisions that had not begun, and the one before each that was not run to its end."""
        return {unit.revision: unit.behind for unit in self.units if unit.behind}

    @property
    def mismatch(self) -> str | None:
        """A sentence, where the scratch server has another major version than the database."""
        if self.major == self.tried_on or self.tried_on is None:
            return None
        return (
            f"tried on PostgreSQL {self.tried_on}, and the database has {self.major}: syntax, "
            "locks and rewrites may differ"
        )


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


def units(revisions: Iterable[Revision], traced: Trace, major: int) -> Sequence[TracedRevision]:
    """The revisions with their statements, and the remarks of squawk for that major version."""
    found, chosen = [], tuple(revisions)
    applied = traced.applied([revision.id for revision in chosen])
    # Of all in one process: a program takes longer to start than to look at a revision.
    told = remarks(traced.statements, major)
    for revision in chosen:
        path = path_of(revision)
        statements = tuple(s for s in traced.statements if s.revision == revision.id)
        complete = revision.id in applied and revision.id in traced.lines
        failure = traced.failure if traced.stopped_at == revision.id else None
        behind = None if complete else _behind(traced, revision, chosen)
        stopped = None if complete else _stopped(traced, revision, behind)
        place = _PLACE.match(stopped or "")
        found.append(
            TracedRevision(
                revision.id,
                path,
                revision.phase,
                statements,
                failure.code if failure else None,
                sqlstate(failure) if failure else None,
                text_of(path),
                [each for each in told if each.statement.revision == revision.id],
                complete=complete,
                stopped=stopped,
                behind=behind,
                stopped_line=int(place[1]) if place else 1,
                executed=traced.lines.get(revision.id) if complete else None,
            )
        )
    return found


def _behind(traced: Trace, revision: Revision, chosen: Sequence[Revision]) -> str | None:
    """The revision before this one that was not run to its end, where this one had not begun."""
    ids, at = [each.id for each in chosen], traced.stopped_at
    if at in ids:
        return at if ids.index(at) < ids.index(revision.id) else None
    return ids[0] if traced.failure and revision is not chosen[0] else None


def _stopped(traced: Trace, revision: Revision, behind: str | None) -> str:
    """Why a revision was not run to its end."""
    failure, at = traced.failure, traced.stopped_at
    if behind:
        return f"{behind} before it was not"
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
    """Whether that is known: squawk may not be installed, the run may not have come to it.

    Of a table without rows it is not known whether they would break a rule about them. None has any
    that is created in the same run.
    """
    rule = RULES.get(suppression.rule)
    if rule is None:
        return True
    used = ((s, table) for s in unit.statements for table in {*s.activity, *s.scans})
    is_seen = not rule.grows or all(statement.rows.get(table) for statement, table in used)
    is_seen &= rule.seen != "squawk" or is_installed()
    return rule.holds(major) and unit.complete and is_seen


def _unused(unit: TracedRevision, suppression: Suppression, broken: set[str]) -> Finding:
    why = "which the revision does not break"
    if suppression.rule not in RULES:
        why = "which does not exist"
    elif suppression.rule in broken:
        why = f"which the revision does not break {suppression.scope}"
    hit = Hit(line=suppression.line, values={"rule": suppression.rule, "why": why})
    return finding(unit, UNUSED, hit)


def path_of(revision: Revision) -> Path:
    """The file of a revision."""
    if revision.path is None:
        raise ValueError(f"{revision.id} was not read from a file")
    return revision.path
