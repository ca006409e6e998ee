"""Rules on the design of a schema, detected by squawk."""

from collections.abc import Iterator
from functools import partial

from surefoot.rules.findings import Detector, Hit, Rule, TracedRevision

_Advice = partial(Rule, level="warning", seen="squawk")


def _said(name: str) -> Detector:
    return lambda unit: (Hit.at(each.statement) for each in unit.remarks if each.rule == name)


def _limited(unit: TracedRevision) -> Iterator[Hit]:
    """Only a limit that is new; squawk also reports one that is raised."""
    for hit in _said("prefer-text-field")(unit):
        assert hit.statement is not None
        retyped = list(hit.statement.of("column_retyped", fresh=True))
        if not retyped or any("(" not in each.facts["former"] for each in retyped):
            yield hit


def _constrained_domain(unit: TracedRevision) -> Iterator[Hit]:
    """Only a domain with a constraint; squawk also reports one with a default."""
    for hit in _said("ban-create-domain-with-constraint")(unit):
        assert hit.statement is not None
        created = hit.statement.of("type_created", "constraint_added", fresh=True)
        if any(e.facts.get("required") or e.facts.get("domain") for e in created):
            yield hit


RULES = (
    _Advice(
        id="avoid-serial-key",
        title="A serial column",
        consequence="its sequence has its own owner and privileges, and INSERTs may set any number "
        "in the column",
        help="use an identity column",
        rewrite='sa.Column("{column}", sa.BigInteger(), sa.Identity(always=True))',
        page="ddl-identity-columns",
        detect=_said("prefer-identity"),
    ),
    _Advice(
        id="avoid-length-limit",
        title="A length limit in a column type",
        consequence="changing the limit takes ACCESS EXCLUSIVE, and reducing it scans the table",
        help="use text, with a check on its length if there is a limit",
        rewrite='sa.Column("{column}", sa.Text())',
        page="datatype-character",
        detect=_limited,
    ),
    _Advice(
        id="avoid-domain-with-constraint",
        title="A domain with a constraint",
        consequence="a later change of the constraint scans every table that uses the domain",
        help="use plain columns with a check each",
        rewrite='sa.CheckConstraint("condition", name="check")',
        page="sql-alterdomain",
        detect=_constrained_domain,
    ),
)
