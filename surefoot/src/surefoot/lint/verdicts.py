"""What lint says of each revision, for revisions.lock: a start in production traces nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from surefoot.chain.lockfile import read_lock, with_known, write_lock
from surefoot.chain.revisions import CLEAN, Revision, read_revisions
from surefoot.environment.commandline import say
from surefoot.errors import SurefootError
from surefoot.lint.lint import Linted, lint
from surefoot.rules.findings import Finding
from surefoot.run.target import Scratch, Target


async def with_verdicts(
    scratch: Target, revisions: Sequence[Revision]
) -> tuple[tuple[Revision, ...], Linted]:
    """The revisions with the verdict of each, and what was found in those that had none.

    One that is clean is not looked at again: its file is what it was. `scratch` is an empty
    database that may be filled. On failure: as `lint`.
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


def review(versions: Path, scratch: Scratch) -> None:
    """Lint the revisions in a folder that have no clean verdict, say what was found, and keep it.

    Where no scratch database can be had, or a revision does not run yet, that is said instead.
    """
    try:
        asyncio.run(_review(versions, scratch))
    except SurefootError as error:
        say(f"NOT LINTED  {error.message}\n  then: vegafs lock")


async def _review(versions: Path, scratch: Scratch) -> None:
    lock = versions.parent / "revisions.lock"
    revisions = with_known(read_revisions(versions), read_lock(lock))
    async with scratch() as engine:
        judged, linted = await with_verdicts(Target.of(engine), revisions)
    write_lock(lock, judged)
    for finding in linted.findings:
        say(finding.render())
    if linted.trace.failure is not None:
        raise linted.trace.failure


def _verdict(findings: Sequence[Finding]) -> str:
    return "+".join(sorted({finding.rule for finding in findings})) or CLEAN
