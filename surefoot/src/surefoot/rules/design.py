"""Design: what a schema will be sorry for later, as squawk knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from surefoot.rules.findings import Hit, Rule, TracedRevision


def _said(*names: str) -> Callable[[TracedRevision], Iterator[Hit]]:
    def detect(unit: TracedRevision) -> Iterator[Hit]:
        for remark in unit.remarks:
            if remark.rule in names:
                yield Hit.at(remark.statement)

    return detect


def _constrained_domain(unit: TracedRevision) -> Iterator[Hit]:
    """Not one that has no more than a default, of which squawk says the same."""
    for hit in _said("ban-create-domain-with-constraint")(unit):
        assert hit.statement is not None
        created = hit.statement.of("type_created", "constraint_added", fresh=True)
        if any(e.facts.get("required") or e.facts.get("domain") for e in created):
            yield hit


RULES = (
    Rule(
        id="avoid-serial-key",
        title="A serial column",
        consequence="its sequence has privileges and an owner of its own, and anybody may write "
        "other numbers into the column",
        help="make it an identity column",
        rewrite='sa.Column("id", sa.BigInteger(), sa.Identity(always=True))',
        detect=_said("prefer-identity"),
        level="warning",
        seen="squawk",
    ),
    Rule(
        id="avoid-length-limit",
        title="A text with a limit in its type",
        consequence="changing the limit takes ACCESS EXCLUSIVE, and making it smaller reads every "
        "row",
        help="make it text, with a check on its length if it has one",
        rewrite='sa.Column("name", sa.Text())',
        detect=_said("prefer-text-field"),
        level="warning",
        seen="squawk",
    ),
    Rule(
        id="avoid-dropping-not-null",
        title="A column that may be null from now on",
        consequence="the release that runs was written for a column without nulls",
        help="deploy a release that can read nulls first; drop NOT NULL in a contract revision",
        rewrite='phase = "contract"',
        detect=lambda unit: (
            iter(()) if unit.phase == "contract" else _said("ban-drop-not-null")(unit)
        ),
        level="warning",
        seen="squawk",
    ),
    Rule(
        id="avoid-domain-with-constraint",
        title="A domain with a constraint",
        consequence="changing the constraint later looks at every row of every table that uses it",
        help="make the columns text, with a check each",
        rewrite='sa.CheckConstraint("slug <> \'\'", name="slug_not_empty")',
        detect=_constrained_domain,
        level="warning",
        seen="squawk",
    ),
)
