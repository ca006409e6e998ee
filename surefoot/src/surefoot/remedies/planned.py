"""planned() gives findings the safe forms that autogenerate plans for the same change."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from surefoot.autogenerate.reading import rename_to_temporary
from surefoot.catalog import Catalog, Key, snapshot
from surefoot.chain.revisions import Revision, up_to
from surefoot.connect.limits import Limits
from surefoot.errors import SurefootError
from surefoot.linting.judging import Linted
from surefoot.project import Project
from surefoot.remedies.steps import SafeForm, object_of, safe_form, without
from surefoot.rules.findings import Finding, TracedRevision, finding
from surefoot.rules.registry import RULES
from surefoot.run.commands import upgrade
from surefoot.scratch import Scratch
from surefoot.target import Target
from surefoot.trace.fingerprints import catalog_of

# Two catalogs are read for each; older revisions are hardly edited any more.
MOST_REVISIONS = 20
Planned = Mapping[Finding, SafeForm]


async def planned(project: Project, beside: Scratch, linted: Linted) -> Planned:
    """The planned safe forms, by finding.

    The revisions run once more, on another scratch database. Where that fails there are none.
    """
    wanted = {unit.revision: found for unit in linted.units if (found := _objects(unit, linted))}
    chain = project.revisions()
    chosen = [r for r in chain if r.id in wanted and len(r.down) <= 1][-MOST_REVISIONS:]
    made: dict[Finding, SafeForm] = {}
    if chosen and linted.major is not None:
        with suppress(SurefootError, DBAPIError):
            async with beside.another(project, up_to(chain, chosen[0].down)) as another:
                target = Target.of(another.engine, project, Limits())
                for revision in chosen:
                    made |= await _around(target, revision, wanted[revision.id], linted.major)
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


async def _around(
    target: Target, revision: Revision, wanted: Mapping[Finding, Key], major: int
) -> Planned:
    for down in revision.down:
        await upgrade(target, down, measure=False, squash=False)
    before = await catalog_of(target)
    await upgrade(target, revision.id, measure=False, squash=False)
    after = await catalog_of(target)
    found: dict[Finding, SafeForm] = {}
    for each, key in wanted.items():
        temporary = await with_temporary_names(target, without(key, before, after), after)
        if form := safe_form(before, after, key, major, temporary):
            found[each] = form
    return found


async def with_temporary_names(target: Target, found: Catalog, after: Catalog) -> Catalog | None:
    """The schema of the target with each retyped column under its temporary name, if there is one.

    PostgreSQL renames it in what depends on it; nothing is committed.
    """
    statements = list(rename_to_temporary(found, after))

    def read(connection: Connection) -> Catalog:
        for statement in statements:
            connection.exec_driver_sql(statement)
        return snapshot(connection, target.schemas, version_table=target.version_table)

    async with target.engine.connect() as connection:
        return await connection.run_sync(read) if statements else None
