"""The reference of the rules, docs/rules.md, rendered from their records.

python -m surefoot.rules > docs/rules.md
"""

from __future__ import annotations

import re

from surefoot.rules.findings import Rule
from surefoot.rules.registry import CHAPTERS

_VALUE = re.compile(r"\{(\w+)\}")
_DETECTED = {
    "traced": "in the trace of the revision on a scratch database",
    "read": "in the source of the revision",
    "squawk": "by squawk, in the statements that the revision executes",
}
_HEAD = """\
# The rules

These are the hazards for a database in use, each with a safe form. A finding names its rule. The
comment `# allow avoid-truncate: the reason` anywhere in the revision suppresses the rule for that
file. A suppression without a reason, or of a rule that the revision does not break, is a finding.

An *error* blocks requests or breaks a release; a *warning* is advice. Words in *italics* stand for
the names in a finding.

Most rules read the trace of a revision: each statement is executed on a scratch database with
sample rows, and its locks, table rewrites, table scans, changed rows and schema changes are
recorded. SQL in a string, a DO block or a loop is treated alike. Tables that the revision itself
creates are exempt: nothing uses them yet.
"""
_TAIL = """\
## Changes without a rule

**Waiting for a lock without a bound.** Reads and writes queue behind the waiting statement. The
environment sets a lock timeout for every statement of every revision, and retries the revision; see
[limits.md](limits.md). Only a revision that raises the timeout breaks a rule
(require-lock-timeout).

**A short ACCESS EXCLUSIVE or SHARE ROW EXCLUSIVE lock**: creating, dropping or disabling a trigger,
a policy or a rule, ENABLE ROW LEVEL SECURITY, OWNER TO, SET DEFAULT, dropping a constraint (for a
foreign key on both tables), adding a constraint NOT VALID. The lock cannot be avoided, and it is
held for an instant. The wait for it is bounded and retried, as above.

**A column with a constant default.** PostgreSQL stores the value in the catalog and touches no row.
`now()` counts as constant, because its value is the same for all rows.

**A wider type.** varchar to a longer one or to text, and numeric with more digits before the point,
change only the catalog, if no check and no index depends on the column.

**A concurrent index build under a short lock timeout**, which would cancel the build and leave an
invalid index. The build does not block reads or writes, so it is a patient statement with a longer
timeout (the limit `patient_lock_timeout_s`). If an invalid index is left nevertheless, the same
operation repairs it when it runs again.

**A concurrent statement together with others in one revision, and `autocommit_block`.** The
environment refuses both before the first statement runs.

**An enum.** `op.add_enum_value` adds a value safely. Dropping a value needs `op.replace_enum`,
which rewrites the tables; avoid-type-change reports it then.

**DROP TYPE, DROP FUNCTION and DROP SCHEMA** of unused objects. The database does not show whether a
release calls a function.
"""


def reference() -> str:
    """The whole page."""
    chapters = (
        part
        for title, rules in CHAPTERS.items()
        for part in (f"## {title}\n", *map(_section, rules))
    )
    return "\n".join((_HEAD, *chapters, _TAIL))


def _section(rule: Rule) -> str:
    said = _italic(rule.consequence)
    return f"""\
### {rule.id}

**{rule.title}** ({rule.level})

{said[0].upper()}{said[1:]}.

Instead: {_italic(rule.help)}.

```python
{rule.rewrite}
```

PostgreSQL: {_versions(rule)}. Detected {_DETECTED[rule.seen]}.
"""


def _italic(text: str) -> str:
    """The text with the names of a finding in italics."""
    return _VALUE.sub(r"*\1*", text)


def _versions(rule: Rule) -> str:
    if rule.since and rule.until:
        return f"{rule.since} to {rule.until}"
    if rule.since:
        return f"{rule.since} or later"
    return f"up to {rule.until}" if rule.until else "all versions"
