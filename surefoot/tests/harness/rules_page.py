"""The reference of the rules in docs/rules: an index and a page for each chapter, of their records.

python tests/harness/rules_page.py
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from surefoot.rules.findings import Rule
from surefoot.rules.registry import CHAPTERS
from surefoot.wording import counted

PAGES = Path(__file__).resolve().parents[2] / "docs" / "rules"
INDEX = PAGES / "index.md"
# The text of the index before its lists is written by hand.
_LISTS = "## Pages\n"
_BY_HAND = (
    ("changes-without-a-rule.md", "Of which changes lint says nothing, and why."),
    ("squawk.md", "For each rule of squawk whether it is measured, relayed or refuted."),
)
_VALUE = re.compile(r"\{(\w+)\}")
_DETECTED = {
    "traced": "in the trace of the revision on a scratch database",
    "run": "by how the revision runs on a scratch database",
    "read": "in the source of the revision",
    "squawk": "by squawk, in the statements that the revision executes",
    "tried": "by a trial of the backfill on made rows of a scratch database",
}


def pages(index: str) -> Mapping[Path, str]:
    """The pages as the records are; the text of the index before its lists stays."""
    names = {title: f"{re.sub(r'[^a-z]+', '-', title.lower())}.md" for title in CHAPTERS}
    written = {PAGES / names[title]: _chapter(title, rules) for title, rules in CHAPTERS.items()}
    introduction = index[: index.index(_LISTS)] + _LISTS
    return {INDEX: "\n".join((introduction, *_lists(names))) + "\n", **written}


def _lists(names: Mapping[str, str]) -> Iterator[str]:
    yield from ("| page | content |", "|---|---|")
    for title, rules in CHAPTERS.items():
        yield f"| [{names[title]}]({names[title]}) | {title}: {counted(len(rules), 'rule')}. |"
    yield from (f"| [{name}]({name}) | {content} |" for name, content in _BY_HAND)
    for title, rules in CHAPTERS.items():
        yield f"\n## {title}\n\n| rule | level | hazard |\n|---|---|---|"
        for rule in rules:
            yield f"| [{rule.id}]({names[title]}#{rule.id}) | {rule.level} | {rule.title} |"


def _chapter(title: str, rules: Iterable[Rule]) -> str:
    return "\n".join((f"# {title}\n\n[All rules](index.md)\n", *map(_section, rules)))


def _section(rule: Rule) -> str:
    said = _italic(rule.consequence)
    return f"""\
## {rule.id}

**{rule.title}** ({rule.level}). {said[0].upper()}{said[1:]}.

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
    for path, text in pages(INDEX.read_text("utf-8")).items():
        path.write_text(text, "utf-8")
