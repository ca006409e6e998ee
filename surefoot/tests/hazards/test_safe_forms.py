"""A planned safe form gives the schema of the revision that it replaces, and breaks no rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.databases import engine
from harness.server import PG_MAJOR
from hazards.bench import FILE, Bench
from hazards.cases import HERE
from surefoot.autogenerate.constraints import NOT_NULL_NOT_VALID
from surefoot.chain.lockfile import write_lock
from surefoot.chain.revisions import read_revisions
from surefoot.connect.limits import Limits
from surefoot.linting.lint import lint
from surefoot.remedies.around import with_temporary_names
from surefoot.remedies.objects import CERTAIN, object_of
from surefoot.remedies.rewriting import rewritten
from surefoot.remedies.steps import safe_form, without
from surefoot.rules.findings import finding
from surefoot.rules.registry import RULES
from surefoot.run.commands import upgrade
from surefoot.trace.fingerprints import catalog_of

QUICK = {"require-not-valid-foreign-key"}
EACH = [
    pytest.param(rule, marks=() if rule in QUICK else pytest.mark.slow) for rule in sorted(CERTAIN)
]

NOT_NULL = "NOT NULL number" if PG_MAJOR >= NOT_NULL_NOT_VALID else '"number IS NOT NULL"'
SHOWN = {
    "avoid-type-change": (
        "op.alter_column('jobs', 'rank', type_=sa.BigInteger())",
        [
            'sa.Column("rank_new", sa.BigInteger()',
            'op.create_index_concurrently(op.f("ix_jobs_rank_new"), "jobs", ["rank_new"]',
            "op.refuse_rows(",
            'new_column_name="rank"',
        ],
    ),
    "avoid-dropping-a-column": (
        "op.drop_column('results', 'value')",
        ["# Before this runs: deploy a release", 'op.drop_column("results", "value")'],
    ),
    "avoid-required-column-without-default": (
        "op.add_column('tags', sa.Column('number', sa.Integer(), nullable=False))",
        ['sa.Column("number", sa.Integer()', NOT_NULL, "op.validate_constraint("],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("rule", SHOWN)
async def test_a_form_that_needs_a_decision_is_shown(
    bench: Bench, rule: str, major: int, tmp_path: Path
) -> None:
    """Its steps in their order; --fix does not write it."""
    code, expected = SHOWN[rule]
    path = tmp_path / "bad.py"
    path.write_text(FILE.format(number=1, former=0, body=f"    {code}\n"), "utf-8")
    chain = bench.chain([path])
    async with bench.clone(rows=False) as database, engine(database.access, "migrate") as made:
        target = replace(bench.target(made, chain), limits=Limits())
        before = await catalog_of(target)
        linted = await lint(target, read_revisions(chain.versions), {"0001"})
        after = await catalog_of(target)
        (hit,) = RULES[rule].detect(linted.units[0])
        key = object_of(rule, hit)
        assert key is not None
        there = await with_temporary_names(target, without(key, before, after), after)
    form = safe_form(before, after, key, major, there)
    assert form is not None
    text = form.render()
    places = [text.find(each) for each in expected]
    assert -1 not in places, text
    assert places == sorted(places)
    assert rule not in CERTAIN


@pytest.mark.slow
@pytest.mark.parametrize("rule", EACH)
async def test_it_gives_the_same_schema_and_has_no_error(
    bench: Bench, rule: str, major: int
) -> None:
    """Of every rule whose safe form is written by --fix; and its downgrade leads back."""
    chain = bench.chain([HERE / rule / "bad.py"])
    revisions = read_revisions(chain.versions)
    async with bench.clone(rows=False) as database, engine(database.access, "migrate") as made:
        target = replace(bench.target(made, chain), limits=Limits())
        before = await catalog_of(target)
        linted = await lint(target, revisions, {"0001"}, back=True)
        await upgrade(target, "0001", measure=False)
        after = await catalog_of(target)
    (unit,) = linted.units
    forms = {}
    for hit in RULES[rule].detect(unit):
        key = object_of(rule, hit)
        assert key is not None
        form = safe_form(before, after, key, major)
        assert form is not None
        forms[finding(unit, RULES[rule], hit)] = form
    assert linted.trace.back is not None
    revision = revisions[-1]
    for text in rewritten(unit, revision, revisions, forms, linted.trace.back.statements):
        text.path.write_text(text.after, "utf-8")
    written = read_revisions(chain.versions)
    write_lock(chain.lock_path, written)
    async with bench.clone(rows=False) as database, engine(database.access, "migrate") as made:
        target = replace(bench.target(made, chain), limits=Limits())
        again = await lint(target, written, {r.id for r in written if r.down}, downgrades=True)
        assert [f.render() for f in again.findings if f.level == "error"] == []
        assert again.trace.failure is None
        assert again.trace.back is not None
        assert again.trace.back.failure is None
        assert (await catalog_of(target)).fingerprint() == before.fingerprint()
        await upgrade(target, "head", measure=False)
        assert (await catalog_of(target)).fingerprint() == after.fingerprint()
