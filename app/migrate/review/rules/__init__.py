"""The rules, by what they are about: one record each, see app.migrate.review.findings.Rule."""

from __future__ import annotations

from app.migrate.review.findings import Rule
from app.migrate.review.rules import (
    columns,
    constraints,
    design,
    files,
    indexes,
    relations,
    transactions,
)

RULES: dict[str, Rule] = {
    rule.id: rule
    for module in (columns, constraints, indexes, relations, transactions, design, files)
    for rule in module.RULES
}
