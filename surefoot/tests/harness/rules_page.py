"""The reference of the rules: the chapters of docs/rules.md, rendered from their records.

python tests/harness/rules_page.py
"""

import re
from pathlib import Path

from surefoot.rules.findings import Rule
from surefoot.rules.registry import CHAPTERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
_VALUE = re.compile(r"\{(\w+)\}")
_DETECTED = {
    "traced": "in the trace of the revision on a scratch database",
    "run": "by how the revision runs on a scratch database",
    "read": "in the source of the revision",
    "squawk": "by squawk, in the statements that the revision executes",
    "tried": "by a trial of the backfill on made rows of a scratch database",
}


def reference(page: str) -> str:
    """The page with the chapters as the records are; the texts before and after them stay."""
    chapters = (
        part
        for title, rules in CHAPTERS.items()
        for part in (f"## {title}\n", *map(_section, rules))
    )
    first, after = (
        page.index(f"## {next(iter(CHAPTERS))}\n"),
        page.index("## Changes without a rule"),
    )
    return page[:first] + "\n".join((*chapters, page[after:]))


def _section(rule: Rule) -> str:
    said = _italic(rule.consequence)
    return f"""\
### {rule.id}

**{rule.title}** ({rule.level})

{said[0].upper()}{said[1:]}.

Instead: {_italic(rule.help)}.

```python
{rule.safe_form()}
```

PostgreSQL: {_versions(rule)}. Detected {_DETECTED[rule.seen]}.{_page(rule)}
"""


def _page(rule: Rule) -> str:
    return f" See [{rule.page}]({rule.url})." if rule.url else ""


def _italic(text: str) -> str:
    """The text with the names of a finding in italics."""
    return _VALUE.sub(r"*\1*", text)


def _versions(rule: Rule) -> str:
    if rule.since and rule.until:
        return f"{rule.since} to {rule.until}"
    if rule.since:
        return f"{rule.since} or later"
    return f"up to {rule.until}" if rule.until else "all versions"


if __name__ == "__main__":
    PAGE.write_text(reference(PAGE.read_text("utf-8")), "utf-8")
