"""planned() gives findings the safe forms that autogenerate plans for the same change."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from surefoot.chain.revisions import up_to
from surefoot.connect.limits import Limits
from surefoot.errors import SurefootError
from surefoot.remedies.objects import object_of
from surefoot.rules.findings import finding
from surefoot.rules.registry import RULES
from surefoot.target import Target

if TYPE_CHECKING:
    from surefoot.catalog import Key
    from surefoot.linting.judging import Linted
    from surefoot.project import Project
    from surefoot.remedies.steps import SafeForm
    from surefoot.rules.findings import Finding, TracedRevision
    from surefoot.scratch import Scratch

    Planned = Mapping[Finding, SafeForm]

# Two catalogs are read for each; older revisions are hardly edited any more.
MOST_REVISIONS = 20


async def planned(project: Project, beside: Scratch, linted: Linted) -> Planned:
    """The planned safe forms, by finding.

    The revisions run once more, on another scratch database. Where that fails there are none.
    """
    wanted = {unit.revision: found for unit in linted.units if (found := _objects(unit, linted))}
    if not wanted or linted.major is None:
        return {}
    from surefoot.remedies.around import around  # noqa: PLC0415 - few findings have a plan

    chain = project.revisions()
    chosen = [r for r in chain if r.id in wanted and len(r.down) <= 1][-MOST_REVISIONS:]
    made: dict[Finding, SafeForm] = {}
    if chosen:
        with suppress(SurefootError, DBAPIError):
            async with beside.another(project, up_to(chain, chosen[0].down)) as another:
                target = Target.of(another.engine, project, Limits())
                for revision in chosen:
                    made |= await around(target, revision, wanted[revision.id], linted.major)
    return made


def with_remedies(linted: Linted, planned: Planned) -> Linted:
    """The result with the planned safe forms in place of those of the rules."""
    findings = (
        replace(each, remedy=planned[each].render()) if each in planned else each
        for each in linted.findings
    )
    return replace(linted, findings=tuple(findings))


def _objects(unit: TracedRevision, linted: Linted) -> Mapping[Finding, Key]:
    """The findings of a revision on an object whose change can be planned."""
    found: dict[Finding, Key] = {}
    kept = {each for each in linted.findings if each.revision == unit.revision}
    for rule in {each.rule for each in kept} if unit.complete else ():
        for hit in RULES[rule].detect(unit) if rule in RULES else ():
            key, made = object_of(rule, hit), finding(unit, RULES[rule], hit)
            if key is not None and made in kept:
                found[made] = key
    return found
