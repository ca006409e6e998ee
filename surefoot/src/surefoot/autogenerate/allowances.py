"""The rules that a planned revision may break, with the reason for the reviewer.

PostgreSQL has no safe form for some changes, and the planner keeps some in one transaction. A rule
about the design of a schema asks for another schema than the models declare. The trace of the new
file tells which rules it breaks: only those get an `# allow` comment.
"""

import ast
import re
from collections.abc import Collection, Iterable

from surefoot.chain.coding import parsed
from surefoot.rules import design
from surefoot.rules.findings import Finding
from surefoot.rules.registry import RULES
from surefoot.rules.suppressions import comment

# Rules about the design of a schema.
_DESIGN = {each.id for each in design.RULES} | {
    "avoid-narrowing-a-sequence",
    "require-index-for-foreign-key",
}
_WINDOW = "check the size of the table, and run this while nobody uses it"
# Why a planned revision cannot keep a rule.
_REASONS = {
    "avoid-stored-generated-column": "PostgreSQL can add a stored column only by a rewrite; "
    f"{_WINDOW}, or declare it virtual (PostgreSQL 18)",
    **dict.fromkeys(
        ("avoid-identity-column", "avoid-serial-column"),
        f"adding the column numbers every row, which is a rewrite; {_WINDOW}",
    ),
    "avoid-changing-persistence": f"PostgreSQL rewrites the table to log it or not; {_WINDOW}",
    "avoid-exclusion-constraint": "PostgreSQL builds its index only under ACCESS EXCLUSIVE, and "
    f"cannot use an existing one; {_WINDOW}",
    **dict.fromkeys(
        ("require-concurrent-primary-key", "require-concurrent-unique"),
        f"PostgreSQL makes no constraint of a partitioned table from an existing index; {_WINDOW}",
    ),
    # Of a column, or of all columns of an enum.
    "avoid-type-change": "no second column can be filled and swapped in, so the table is "
    f"rewritten; {_WINDOW}",
    "avoid-type-change-under-check": "no second column can be filled and swapped in, so the rows "
    f"are read for its checks and indexes; {_WINDOW}",
    "require-utc-for-time-zone": "no second column can be filled and swapped in, so the table is "
    f"rewritten, and its times are those of the session's time zone; {_WINDOW}",
    "avoid-renaming-an-enum-value": "a value has one name at a time; the old release is replaced "
    "as this runs",
    "require-not-valid-domain-check": "PostgreSQL has no NOT VALID for the NOT NULL of a domain, "
    f"and blocks writes during the scan; {_WINDOW}",
    "avoid-column-of-constrained-domain": "PostgreSQL rewrites the table to check whether the "
    f"domain accepts null; {_WINDOW}",
    "avoid-renaming-a-column": "the rename was declared; the releases are replaced at the same "
    "moment",
    "avoid-renaming": "the rename was declared; the releases are replaced at the same moment",
    "require-concurrent-index-drop": "PostgreSQL drops the index of a partitioned table in no "
    "other way; the lock is short",
    "avoid-reference-with-its-column": "before PostgreSQL 18 a foreign key of a partitioned table "
    "cannot be added NOT VALID; the new table is empty, so the lock is short",
}
COVERED = "The running release reads and writes"
EXCHANGED = "holds for all rows, and takes the place of"
TOGETHER = "goes in the transaction in which its foreign keys leave it"
MISSING = "would be missing between two transactions"
# The sentence about the form of some tables.
_PLAIN = re.compile(r"Plain form of (.+?): (.+?)\. ")
_KIND = re.compile(r"^the (?:domain|sequence) ")
# Rules about short locks, whose findings name no table.
_BRIEF = frozenset({
    "avoid-locking-two-tables", "avoid-work-under-write-lock", "require-concurrent-index-drop",
})  # fmt: skip
# Of a revision whose docstring names the objects.
_OF_LOCKS = frozenset({
    "avoid-locking-two-tables", "avoid-work-under-access-exclusive", "avoid-work-under-write-lock",
})  # fmt: skip


def allowances(findings: Iterable[Finding], source: str) -> list[str]:
    """The comments for the rules that a planned revision was found to break.

    `source` is the text of its file. Of a table that is changed plainly one comment says why, for
    all rules about the time that its locks last.
    """
    found = list(findings)
    text = " ".join((ast.get_docstring(parsed(source)) or "").split())
    forms = _PLAIN.findall(text)
    plain = {_KIND.sub("", each): form for form in forms for each in form[0].split(", ")}
    others = {each.rule for each in found if not _is_plain(each, plain)}
    short = sorted({each.rule for each in found} - others)
    why = "; ".join(
        f"plain form of {tables}: {why}" for tables, why in dict.fromkeys(plain.values())
    )
    reasons = dict(_REASONS)
    reasons |= {rule: f"the models declare {_lower(RULES[rule].title)}" for rule in _DESIGN}
    if COVERED in text:
        reasons["avoid-renaming"] = "the rename was declared; the former name is a view"
    if EXCHANGED in text:
        reasons["avoid-dropping-a-check"] = "another one, which is validated, takes its place"
    if TOGETHER in text:
        reasons["require-concurrent-index-drop"] = f"it {TOGETHER}; the lock is short"
    if MISSING in text:
        reasons |= dict.fromkeys(_OF_LOCKS, f"dropped and created again, objects {MISSING}")
    said = [comment(", ".join(short), why)] if short else []
    return [*said, *(comment(rule, reasons[rule]) for rule in sorted(others & {*reasons}))]


def _is_plain(finding: Finding, plain: Collection[str]) -> bool:
    """Whether it is about the time that others wait for tables that are changed plainly."""
    if finding.rule in _BRIEF:
        return bool(plain)
    return RULES[finding.rule].grows and set() < {*finding.tables} <= {*plain}


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]
