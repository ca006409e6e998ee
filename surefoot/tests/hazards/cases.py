"""The cases: a folder a rule, with revisions that break it and revisions that do the same well.

bad.py bad_2.py …       one revision each, on top of base.py
good.py, good_x.py …    one revision each, on top of base.py
good_1.py good_2.py …   one chain, on top of base.py; so is good_x_1.py good_x_2.py …

A comment above a line names each rule that finds it: `# finds: rule-id`. `since` and `until` in a
file are the majors of PostgreSQL that it is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).parent
_FINDS = re.compile(r"\s*# finds: ([a-z-]+)$")
_STEP = re.compile(r"(good.*)_\d$")
_BOUND = re.compile(r"^(since|until) = (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """Revisions on top of the base, and what is to be found in each of their lines."""

    name: str
    paths: Sequence[Path]

    @property
    def rule(self) -> str:
        """The rule that it is about."""
        return self.paths[0].parent.name

    @property
    def is_bad(self) -> bool:
        return self.paths[0].stem.startswith("bad")

    @property
    def phase(self) -> str:
        """The phase of its first revision."""
        return "contract" if 'phase = "contract"' in self.paths[0].read_text("utf-8") else "expand"

    def holds(self, major: int) -> bool:
        """Whether it is for that PostgreSQL."""
        bounds = {k: int(v) for path in self.paths for k, v in _BOUND.findall(path.read_text())}
        return bounds.get("since", major) <= major <= bounds.get("until", major)

    def expected(self) -> set[tuple[str, int, str]]:
        """File, line and rule of every finding."""
        found = set()
        for path in self.paths:
            rules: set[str] = set()
            for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
                if match := _FINDS.match(line):
                    rules.add(match[1])
                elif rules:
                    found |= {(path.name, number, rule) for rule in rules}
                    rules = set()
        return found


def cases() -> Iterator[Case]:
    """Every case of every rule."""
    for folder in sorted(path for path in HERE.iterdir() if path.is_dir()):
        for name, paths in groupby(sorted(folder.glob("*.py"), key=_order), _group):
            yield Case(f"{folder.name}/{name}", list(paths))


def _group(path: Path) -> str:
    """A bad revision for itself, good ones in the chain that they are steps of."""
    step = _STEP.match(path.stem)
    return step[1] if step else path.stem


def _order(path: Path) -> tuple[str, str]:
    return _group(path), path.stem
