"""Rules on backfills, which are tried on a scratch database at the revision that they need.

No verdict in revisions.lock is about them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.chain.coding import parsed
from surefoot.frozen import dataclass
from surefoot.rules.findings import Finding, Hit, Rule, finding

if TYPE_CHECKING:
    from surefoot.backfill.trial import Trial

# The attributes of the class that say how a row is changed.
_CHANGES = ("sets", "statement", "fill")


@dataclass(frozen=True)
class TriedBackfill:
    """A backfill with what was seen of it: the input of a rule."""

    path: Path
    source: str
    trial: Trial
    # Two columns each: one that the release which runs may change, and one of its backfill that
    # this release does not know. With the newest revision of that release.
    left_behind: Sequence[tuple[str, str]] = ()
    code: str | None = None
    revision: str = ""

    @property
    def table(self) -> str:
        return str(self.trial.backfill.table)

    def line(self, *names: str) -> int:
        """The line of the first of these attributes, or else of the class."""
        classes = (n for n in ast.walk(parsed(self.source)) if isinstance(n, ast.ClassDef))
        class_ = next(iter(classes), None)
        for node in class_.body if class_ else ():
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", 0)]
            named = {each.id for each in targets if isinstance(each, ast.Name)}
            if named & {*names} or getattr(node, "name", "") in names:
                return node.lineno
        return class_.lineno if class_ else 1


@dataclass(frozen=True)
class BackfillRule(Rule):
    """A rule whose input is a backfill and not a revision."""

    detect: Callable[..., Iterator[Hit]] = lambda _: iter(())
    tell: Callable[[TriedBackfill], Iterator[Hit]] = lambda _: iter(())


def examine(tried: TriedBackfill) -> tuple[Finding, ...]:
    """The findings of the rules in a backfill, by line; `advice` of a hit makes it a warning."""
    found = []
    for rule in RULES:
        for hit in rule.tell(tried):
            made = finding(tried, rule, hit)
            found.append(replace(made, level="warning") if hit.values.get("advice") else made)
    return tuple(sorted(found, key=lambda f: (f.line, f.rule)))


def _refused(tried: TriedBackfill) -> Iterator[Hit]:
    backfill = tried.trial.backfill
    if tried.trial.refused:
        values = {"name": backfill.name, "after": backfill.after, "why": tried.trial.refused}
        yield Hit(line=tried.line(), values=values)


def _scans(tried: TriedBackfill) -> Iterator[Hit]:
    trial = tried.trial
    hit = Hit(line=tried.line(*_CHANGES))
    if trial.reads_itself:
        yield replace(hit, values={"table": tried.table})
    for table in trial.reads:
        # It may be as small as on the scratch database.
        yield replace(hit, values={"table": table, "advice": True})


def _repeats(tried: TriedBackfill) -> Iterator[Hit]:
    trial, table = tried.trial, tried.table
    if trial.again:
        rows = f"{trial.again} of {trial.changed} made rows"
        what = f"{rows} match the filter as before: a run changes them without an end"
        yield Hit(line=tried.line("todo"), values={"table": table, "what": what})
        return
    for column in trial.unless_null:
        what = f"one whose {column} is NULL matches the filter as before, and a run stops there"
        values = {"table": table, "what": what, "advice": True}
        yield Hit(line=tried.line("todo"), values=values)
    if trial.differing:
        columns = ", ".join(trial.differing)
        what = (
            f"a row that comes to match the filter again gets another value of {columns} than the "
            "first time"
        )
        values = {"table": table, "what": what, "advice": True}
        yield Hit(line=tried.line(*_CHANGES), values=values)


def _left_behind(tried: TriedBackfill) -> Iterator[Hit]:
    for old, new in tried.left_behind:
        values = {"table": tried.table, "old": old, "new": new, "code": tried.code}
        yield Hit(line=tried.line(*_CHANGES), values=values)


_Rule = partial(BackfillRule, seen="tried")
RULES: tuple[BackfillRule, ...] = (
    _Rule(
        id="require-working-backfill",
        title="A backfill that cannot work",
        consequence="{name} fails at its first batch in a database at {after}: {why}",
        help="correct the class",
        rewrite="# todo, sets and key with columns that the table has at the revision in `after`",
        page="sql-update",
        tell=_refused,
    ),
    _Rule(
        id="avoid-scan-in-batch",
        title="A batch that reads all of a table",
        consequence="no index finds the rows of {table} that a batch needs: each batch reads all "
        "of it",
        help="create the index that the filter or the statement needs, before the backfill; or "
        "allow this rule where {table} stays small",
        rewrite='op.create_index_concurrently("ix_{table}_column", "{table}", ["column"]{schema})',
        grows=True,
        page="using-explain",
        tell=_scans,
    ),
    _Rule(
        id="require-idempotent-batch",
        title="A batch that changes a row each time",
        consequence="the rows of {table} that a batch has changed are not done: {what}",
        help="let the filter become false for a row that was changed, and make the value of "
        "columns that the batch does not write",
        rewrite='# todo = "new_column IS NULL"\n'
        '# sets = {"new_column": "an expression of other columns"}',
        page="sql-update",
        tell=_repeats,
    ),
    _Rule(
        id="require-columns-in-step",
        title="A filled column that falls behind",
        consequence="code of {code} goes on beside the backfill and does not know {table}.{new}: "
        "where it changes {old}, no trigger changes {new}, and no later batch finds the row",
        help="keep both columns in step, with the value of {new} as forward=, until no release "
        "writes {old} alone",
        rewrite='op.keep_in_step("{table}", "{old}", "{new}"{schema})',
        page="plpgsql-trigger",
        tell=_left_behind,
    ),
)
