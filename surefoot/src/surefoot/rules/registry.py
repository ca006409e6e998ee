"""The registry of the rules, by chapter; surefoot.rules.findings.Rule is their record."""

from surefoot.rules import (
    access,
    backfills,
    columns,
    constraints,
    design,
    gaps,
    indexes,
    objects,
    relations,
    rights,
    server,
    source,
    transactions,
    writes,
)
from surefoot.rules.findings import Rule

# In the order of docs/rules/index.md.
CHAPTERS: dict[str, tuple[Rule, ...]] = {
    "Columns": columns.RULES,
    "Constraints": constraints.RULES,
    "Indexes": indexes.RULES,
    "Tables, partitions and types": relations.RULES,
    "Objects of the running release": objects.RULES,
    "Writes of the running release": writes.RULES,
    "Rights, rows and values of the running release": (*rights.RULES, *access.RULES),
    "Transactions and rows": transactions.RULES,
    "The server": server.RULES,
    "What was not run": gaps.RULES,
    "Design": design.RULES,
    "The file": source.RULES,
    "Backfills": backfills.RULES,
}
RULES: dict[str, Rule] = {rule.id: rule for rules in CHAPTERS.values() for rule in rules}
