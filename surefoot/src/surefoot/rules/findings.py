"""Rule is what a check knows to be dangerous; Finding is one place where it found that.

A rule has one record. What detects it, what a person reads of it in the terminal, in a pull request
and in docs/rules.md, and the tests of it, all come from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from surefoot.rules.squawk import Remark
from surefoot.trace.lock_modes import blocked
from surefoot.trace.statement import Statement

Level = Literal["error", "warning"]
LEVELS: tuple[Level, ...] = ("error", "warning")


@dataclass(frozen=True)
class TracedRevision:
    """One revision as it was traced: what a rule looks at."""

    revision: str
    path: Path
    phase: str
    statements: Sequence[Statement] = ()
    # The code of the error that stopped it, and the SQLSTATE behind it.
    failure: str | None = None
    sqlstate: str | None = None
    source: str = ""
    remarks: Sequence[Remark] = ()


@dataclass(frozen=True)
class Hit:
    """What a rule's detector found, in the terms of the rule's texts."""

    statement: Statement | None = None
    line: int = 1
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, statement: Statement, **values: Any) -> Hit:
        """In a statement that was executed."""
        return cls(statement, statement.line, values)


@dataclass(frozen=True)
class Rule:
    """One thing that hurts a database in use."""

    id: str
    title: str
    # What happens; names in braces are the values of a hit.
    consequence: str
    help: str
    # The safe form, as the lines of one or more revisions.
    rewrite: str
    detect: Callable[[TracedRevision], Iterator[Hit]]
    level: Level = "error"
    # The first and the last major of PostgreSQL for which it holds; None is no bound.
    since: int | None = None
    until: int | None = None
    # How it is known: seen on a scratch database, read from the file, or squawk says so.
    seen: Literal["traced", "read", "squawk"] = "traced"

    def holds(self, major: int) -> bool:
        """Whether the rule is about that PostgreSQL."""
        return (self.since or 0) <= major <= (self.until or major)


@dataclass(frozen=True)
class Finding:
    """One thing that a check has to say: place, rule, consequence, help."""

    rule: str
    level: Level
    revision: str
    path: Path
    line: int
    consequence: str
    help: str
    # What was measured, where something was.
    traced: str | None = None

    @property
    def place(self) -> str:
        """Where it is, from where the reader stands."""
        return f"{os.path.relpath(self.path)}:{self.line}"

    def render(self) -> str:
        """The finding as people read it."""
        lines = [self.place, f"  {self.level} [{self.rule}]  {self.consequence}"]
        lines += [f"    help: {self.help}"]
        if self.traced:
            lines += [f"    traced: {self.traced}"]
        return "\n".join(lines)

    def as_json(self) -> Mapping[str, Any]:
        """The finding as one JSON object."""
        return {
            "rule": self.rule,
            "level": self.level,
            "revision": self.revision,
            "path": os.path.relpath(self.path),
            "line": self.line,
            "consequence": self.consequence,
            "help": self.help,
            "traced": self.traced,
        }


def examine(unit: TracedRevision, rules: Iterable[Rule], major: int) -> tuple[Finding, ...]:
    """What the rules find in a revision, in the order of its lines."""
    found = [
        finding(unit, rule, hit) for rule in rules if rule.holds(major) for hit in rule.detect(unit)
    ]
    # Several statements of one line may do the same to the same.
    return tuple(sorted(dict.fromkeys(found), key=lambda f: (f.line, f.rule)))


def finding(unit: TracedRevision, rule: Rule, hit: Hit) -> Finding:
    """What a rule says of a hit."""
    return Finding(
        rule.id,
        rule.level,
        unit.revision,
        unit.path,
        hit.line,
        rule.consequence.format(**hit.values),
        rule.help.format(**hit.values),
        measured(hit.statement) if hit.statement else None,
    )


def measured(statement: Statement) -> str | None:
    """What a statement was seen to do, in a line."""
    parts = [
        f"{mode} on {relation}"
        for relation, mode in statement.locks.items()
        if relation not in statement.tables and mode != "ACCESS SHARE"
    ]
    said = ", ".join(parts)
    if said and statement.lock:
        said += f" ({blocked(statement.lock)})"
    if statement.rewrites:
        said += f"; writes {', '.join(sorted(statement.rewrites))} anew"
    if statement.scans:
        said += f"; reads all of {', '.join(sorted(statement.scans))}"
    if statement.changes_rows:
        rows = ", ".join(
            f"{w.updated + w.deleted} of {statement.rows.get(t, 0)} rows of {t}"
            for t, w in sorted(statement.activity.items())
            if t in statement.changes_rows
        )
        said += f"; changes {rows}"
    return said.lstrip("; ") or None
