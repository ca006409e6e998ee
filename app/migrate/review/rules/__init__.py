"""The rules, by what they are about: one record each, see app.migrate.review.findings.Rule."""

from __future__ import annotations

from app.migrate.review.findings import Rule
from app.migrate.review.rules import columns, constraints, files, indexes, relations, transactions

# In the order of docs/rules.md.
CHAPTERS: dict[str, tuple[Rule, ...]] = {
    "Columns": columns.RULES,
    "Constraints": constraints.RULES,
    "Indexes": indexes.RULES,
    "Tables, partitions and types": relations.RULES,
    "Transactions and rows": transactions.RULES,
    "The file": files.RULES,
}
RULES: dict[str, Rule] = {rule.id: rule for rules in CHAPTERS.values() for rule in rules}
