"""Verdicts of lint, one a revision, for revisions.lock: an upgrade in production lints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from surefoot.chain.revisions import CLEAN, Revision
from surefoot.linting.lint import Linted, lint
from surefoot.rules.findings import Finding
from surefoot.target import Target


async def with_verdicts(
    scratch: Target, revisions: Sequence[Revision]
) -> tuple[tuple[Revision, ...], Linted]:
    """Lint the revisions that have no clean verdict; return all with verdicts, and the result.

    A clean verdict stays valid: the file has not changed since. `scratch` is an empty database.
    On failure: as `lint`.
    """
    wanted = [revision.id for revision in revisions if revision.verdict != CLEAN]
    linted = await lint(scratch, revisions, wanted)
    broken: dict[str, list[Finding]] = {}
    for finding in linted.findings:
        if finding.level == "error":
            broken.setdefault(finding.revision, []).append(finding)
    judged = [
        replace(revision, verdict=_verdict(broken.get(revision.id, ())))
        if revision.id in wanted
        else revision
        for revision in revisions
    ]
    return tuple(judged), linted


def _verdict(findings: Sequence[Finding]) -> str:
    return "+".join(sorted({finding.rule for finding in findings})) or CLEAN
