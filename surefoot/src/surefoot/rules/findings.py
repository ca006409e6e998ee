"""Rule is a hazard for a database in use; Finding is one place where a revision breaks a rule.

A rule has one record, with its detector and its texts. The terminal, annotations in a pull request,
docs/rules and the tests all read it.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from surefoot.errors.disclosure import disclosed
from surefoot.frozen import dataclass
from surefoot.rules.judged import Judged
from surefoot.rules.python_lines import last_line
from surefoot.rules.repository import in_repository
from surefoot.rules.safe_form import filled
from surefoot.rules.squawk import Remark
from surefoot.trace.effects import Effect
from surefoot.trace.expected_rows import MANY_ROWS
from surefoot.trace.lock_modes import EXCLUSIVE, blocked
from surefoot.trace.statement import Statement
from surefoot.wording import counted

Level = Literal["error", "warning"]
_VALUE = re.compile(r"\{(\w+)\}")
_TAKES_MORE = re.compile(
    r"\bDROP\b.*(?<!\bDELETE )(?<!\bUPDATE )\bCASCADE\b|\bDROP\s+OWNED\b", re.IGNORECASE | re.DOTALL
)
# Of the SQL of a finding.
LONGEST_SHOWN = 90
_DOCUMENTATION = "https://www.postgresql.org/docs/current"


@dataclass(frozen=True)
class TracedRevision:
    """One revision with its trace, its source and the remarks of squawk: the input of a rule."""

    revision: str
    path: Path
    phase: str
    statements: Sequence[Statement] = ()
    # The code of the error that stopped it, and the SQLSTATE behind it.
    failure: str | None = None
    sqlstate: str | None = None
    source: str = ""
    remarks: Sequence[Remark] = ()
    # Whether it executed all its statements: not if it failed, or if the run did not reach it.
    complete: bool = True
    # Why not, the line where it stopped, and the revision before it at which the run stopped.
    stopped: str | None = None
    stopped_line: int = 1
    behind: str | None = None
    # The statements of its downgrade, where that is judged, and why it has failed.
    back: Sequence[Statement] = ()
    back_stopped: str | None = None
    # The lines of its file that ran; None where nobody has followed it.
    executed: frozenset[int] | None = None

    def drops(self, statement: Statement, name: str) -> bool:
        """Whether it is there to drop the object: of contract revisions those that they name.

        CASCADE and DROP OWNED take others with them.
        """
        if self.phase != "contract" or not _TAKES_MORE.search(statement.sql):
            return self.phase == "contract"
        own = name.partition("(")[0].rpartition(".")[2].lower()
        return own in re.findall(r"\w+", statement.sql.lower())

    def effects(self, *kinds: str, fresh: bool = False) -> Iterator[tuple[Statement, Effect]]:
        """Its effects of these kinds, each with its statement; see Statement.of."""
        for statement in self.statements:
            for effect in statement.of(*kinds, fresh=fresh):
                yield statement, effect


@dataclass(frozen=True)
class Hit:
    """A match of a rule's detector, with the values for the rule's texts."""

    statement: Statement | None = None
    line: int = 1
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, statement: Statement, **values: Any) -> Hit:
        """A match in a statement that was executed."""
        return cls(statement, statement.line, values)

    @classmethod
    def of(cls, statement: Statement, effect: Effect, **values: Any) -> Hit:
        """A match of an effect: its relation, name and facts are values, as the texts name them."""
        named = dict.fromkeys(("table", "view", "type"), effect.relation)
        named |= dict.fromkeys(("name", "column", "value"), effect.name)
        named["to"] = effect.facts.get("references", "")
        return cls.at(statement, **{**named, **effect.facts, **values})


Detector = Callable[[TracedRevision], Iterator[Hit]]


def on(
    *kinds: str, where: Callable[[Statement, Effect], object] = lambda *_: True, fresh: bool = False
) -> Detector:
    """The detector of the effects of these kinds that meet the condition."""

    def detect(unit: TracedRevision) -> Iterator[Hit]:
        for statement, effect in unit.effects(*kinds, fresh=fresh):
            if where(statement, effect):
                yield Hit.of(statement, effect)

    return detect


def stopped_by(sqlstate: str) -> Detector:
    """The detector of the last statement, where it ended with that SQLSTATE."""

    def detect(unit: TracedRevision) -> Iterator[Hit]:
        if unit.sqlstate == sqlstate and unit.statements:
            yield Hit.at(unit.statements[-1], what=" ".join(unit.statements[-1].sql.split()[:4]))

    return detect


def scans(statement: Statement, effect: Effect) -> bool:
    return statement.within(effect.relation, statement.scans)


def rewrites(statement: Statement, effect: Effect) -> bool:
    return statement.within(effect.relation, statement.rewrites)


def locks_out(statement: Statement, effect: Effect) -> bool:
    """Whether the statement takes ACCESS EXCLUSIVE on the table of its effect."""
    return statement.locks.get(effect.relation) == EXCLUSIVE


@dataclass(frozen=True)
class Rule:
    """One hazard for a database in use."""

    id: str
    title: str
    # Names in braces are the values of a hit.
    consequence: str
    help: str
    # The safe form, as lines of one or more revisions: a template, see surefoot.rules.safe_form.
    rewrite: str
    detect: Detector
    level: Level = "error"
    # The first and last major version of PostgreSQL that it applies to; None is no bound.
    since: int | None = None
    until: int | None = None
    # How it is detected: by what its statements do on a scratch database, by how it ran there, in
    # its file, by squawk; or by a trial of a backfill there.
    seen: Literal["traced", "run", "read", "squawk", "tried"] = "traced"
    # Whether the time that others wait grows with the rows of the table.
    grows: bool = False
    # The page of PostgreSQL's documentation on it, without host and ending; of the file none.
    page: str = ""

    @property
    def url(self) -> str | None:
        """The page of PostgreSQL's documentation."""
        return f"{_DOCUMENTATION}/{self.page}.html" if self.page else None

    def safe_form(self, **values: Any) -> str:
        """The safe form, with the names of a finding as far as they are known."""
        return filled(self.rewrite, values)

    def holds(self, major: int) -> bool:
        """Whether the rule applies to that major version of PostgreSQL."""
        return (self.since or 0) <= major <= (self.until or major)


@dataclass(frozen=True)
class Finding:
    """One violation of a rule: place, rule, consequence, help, and the way out."""

    rule: str
    level: Level
    # Empty where it is about a backfill, or about revisions.lock.
    revision: str
    path: Path
    line: int
    consequence: str
    help: str
    # Locks and work of the statement, if it was traced.
    traced: str | None = None
    # The last line of the statement in the file, and the beginning of its SQL.
    end_line: int = field(default=1, compare=False)
    statement: str | None = field(default=None, compare=False)
    # The safe form with the names of the finding, and the page of PostgreSQL's documentation.
    remedy: str = field(default="", compare=False)
    url: str | None = field(default=None, compare=False)
    # The tables whose rows decide how long others wait; none where that does not depend on rows.
    tables: tuple[str, ...] = field(default=(), compare=False)

    @property
    def place(self) -> str:
        """File and line, relative to the working directory."""
        return f"{os.path.relpath(self.path)}:{self.line}"

    @property
    def allow(self) -> str | None:
        """The comment that allows it; one about a comment or revisions.lock has none."""
        is_about_code = self.path.suffix == ".py" and not self.rule.endswith("-suppression")
        return f"# allow {self.rule}: <the reason>" if is_about_code else None

    def render(self) -> str:
        lines = [self.place, f"  {self.level} [{self.rule}]  {self.consequence}"]
        lines.append(f"    help: {self.help}")
        lines += [f"    statement: {self.statement}"] if self.statement else []
        lines += [f"    traced: {self.traced}"] if self.traced else []
        if self.remedy:
            rows = self.remedy.split("\n")
            lines += ["    safe form:", *(f"      {row}".rstrip() for row in rows)]
        lines += [f"    or allow it: {self.allow}"] if self.allow else []
        return "\n".join(lines)

    def as_json(self) -> Mapping[str, Any]:
        return {**vars(self), "path": in_repository(self.path), "allow": self.allow}


def examine(unit: TracedRevision, rules: Collection[Rule], major: int) -> tuple[Finding, ...]:
    """The findings of the rules in a revision, by line."""
    found = [
        finding(unit, rule, hit) for rule in rules if rule.holds(major) for hit in rule.detect(unit)
    ]
    # Several statements of one line may give the same finding.
    return tuple(sorted(dict.fromkeys(found), key=lambda f: (f.line, f.rule)))


def finding(unit: Judged, rule: Rule, hit: Hit) -> Finding:
    """The finding that a rule gives for a hit."""
    return Finding(
        rule.id,
        rule.level,
        unit.revision,
        unit.path,
        hit.line,
        rule.consequence.format(**hit.values),
        rule.help.format(**hit.values),
        measured(hit.statement) if hit.statement else None,
        last_line(unit.source, hit.line),
        shortened(hit.statement.sql) if hit.statement else None,
        rule.safe_form(**hit.values),
        rule.url,
        worked_on(hit) if rule.grows else (),
    )


def worked_on(hit: Hit) -> tuple[str, ...]:
    """The tables whose rows a statement reads, writes or indexes."""
    found = {str(hit.values["table"])} if hit.values.get("table") else set()
    if hit.statement is not None:
        its = hit.statement
        found |= its.scans | its.rewrites | its.sweeps
        found |= {its.tables[index] for index in its.rebuilds if index in its.tables}
    return tuple(sorted(found))


def generic(text: str) -> str:
    """A text of a rule, with <name> for each name that a finding fills in."""
    return _VALUE.sub(r"<\1>", text)


def shortened(sql: str) -> str:
    """The beginning of a statement in one line, without passwords."""
    return textwrap.shorten(disclosed(sql), LONGEST_SHOWN, placeholder=" …")


def measured(statement: Statement) -> str | None:
    """The locks and the work of a statement, in one line."""
    said = ", ".join(
        ", ".join(f"{mode} on {statement.named(each)}" for each, mode in locks) + f" ({effect})"
        for effect, locks in groupby(statement.shown_locks.items(), lambda lock: blocked(lock[1]))
    )
    if statement.rewrites:
        said += f"; rewrites {', '.join(sorted(statement.rewrites))}"
    if statement.scans:
        said += f"; scans {', '.join(sorted(statement.scans))}"
    if statement.changes_rows:
        rows = ", ".join(
            f"{w.updated + w.deleted:,} of {counted(statement.rows.get(t, 0), 'row')} of {t}"
            for t, w in sorted(statement.activity.items())
            if t in statement.changes_rows
        )
        said += f"; changes {rows}"
    many = (str(each) for each in statement.expected if each.rows > MANY_ROWS)
    if expected := ", ".join(many):
        said += f"; on the target it is expected to {expected}"
    return said.lstrip("; ") or None
