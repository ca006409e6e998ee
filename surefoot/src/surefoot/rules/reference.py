"""docs/rules.md: every rule as its record says it, for people.

python -m surefoot.rules.registry > docs/rules.md
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from surefoot.rules.findings import Rule
from surefoot.rules.registry import CHAPTERS

_VALUE = re.compile(r"\{(\w+)\}")
_SEEN = {
    "traced": "in what the revision does on a scratch database",
    "read": "in the text of the revision",
    "squawk": "by squawk, in the statements that the revision executes",
}
_HEAD = """\
# The rules

What hurts a database in use, and how to do the same without that. A finding names the rule, and
`# allow avoid-truncate: the reason` anywhere in the revision lets it pass: the reason is required,
and so is that the revision breaks the rule.

An *error* stalls requests or breaks a release; a *warning* is advice. Words in *italics* stand for
what a finding names. Most rules look at what each statement did when it was executed on a scratch
database with rows made up: the locks that it took, tables that it wrote anew or read from end to
end, rows that it changed, and what of the schema is not as it was. How the SQL came about, in a
string, a DO block or a loop, makes no difference. Tables that the revision itself creates are
nobody's yet.
"""
_TAIL = """\
## What is not a rule, and why

**A statement that waits for its lock without a bound.** Everybody queues behind it. The environment
sets a lock timeout for every statement of every revision, and tries again; see
[limits.md](limits.md). A rule is broken only by a revision that lifts it (require-lock-timeout).

**A short ACCESS EXCLUSIVE or SHARE ROW EXCLUSIVE lock**: creating, dropping or disabling a trigger,
a policy or a rule, ENABLE ROW LEVEL SECURITY, OWNER TO, SET DEFAULT, dropping a constraint (for a
foreign key on both tables), adding a constraint NOT VALID. There is no way around the lock, and it
is held for an instant once it is had. Waiting for it is bounded and repeated, as above.

**A column with a constant default.** The catalog keeps the value, and no row is touched; `now()`
counts as constant, as it is one moment.

**A wider type.** varchar to a longer one or to text, and numeric to more digits before the point,
change the catalog alone, as long as no check or index hangs on the column.

**A concurrent index build under a short lock timeout**, which would be broken off and leave an
invalid index. Nobody queues behind such a build, so it belongs to the class of patient statements
and waits for as long as VEGAFS_MIGRATE_PATIENT_LOCK_TIMEOUT_S says. An invalid index that is left
all the same is repaired by the same operation when it runs again.

**A concurrent step beside others in one revision, and `autocommit_block`.** The environment refuses
both before the first statement runs.

**An enum.** Values are easily added (`op.add_enum_value`) and hard to drop: `op.replace_enum`
writes the tables anew, which avoid-type-change finds when it comes to that.

**DROP TYPE, DROP FUNCTION and DROP SCHEMA** without what is in it. Whether a release calls a
function cannot be seen in the database.
"""


def page() -> str:
    """The whole page."""
    return "\n".join((_HEAD, *_chapters(), _TAIL))


def _chapters() -> Iterator[str]:
    for title, rules in CHAPTERS.items():
        yield f"## {title}\n"
        yield from (_section(rule) for rule in rules)


def _section(rule: Rule) -> str:
    """One rule."""
    return f"""\
### {rule.id}

**{rule.title}** ({rule.level})

{_sentence(rule.consequence)}.

Instead: {_said(rule.help)}.

```python
{rule.rewrite}
```

PostgreSQL: {_versions(rule)}. Seen {_SEEN[rule.seen]}.
"""


def _said(text: str) -> str:
    """A text with what a finding names in italics."""
    return _VALUE.sub(r"*\1*", text)


def _sentence(text: str) -> str:
    said = _said(text)
    return said[0].upper() + said[1:]


def _versions(rule: Rule) -> str:
    if rule.since and rule.until:
        return f"{rule.since} to {rule.until}"
    if rule.since:
        return f"from {rule.since} on"
    return f"up to {rule.until}" if rule.until else "every version"
