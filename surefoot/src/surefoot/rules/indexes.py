"""Indexes: building, dropping and repairing them beside a table that is in use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from surefoot.rules.findings import Hit, Rule, TracedRevision
from surefoot.trace.lock_modes import EXCLUSIVE, STRENGTH

_OVER_INVALID = re.compile(
    r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\b", re.IGNORECASE
)


def _created(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        for effect in statement.of("index_created"):
            table = effect.relation
            lock = statement.locks.get(table) or statement.held.get(table, "")
            # One ON ONLY a partitioned table reads nothing, and is there at once.
            built = statement.within(table, statement.scans) and not effect.facts["constraint"]
            if built and STRENGTH.get(lock, 0) >= STRENGTH["SHARE"]:
                yield Hit.at(statement, table=table, name=effect.name)


def _dropped(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        if any(statement.of("constraint_dropped", "column_dropped")):
            continue
        for effect in statement.of("index_dropped"):
            if statement.locks.get(effect.relation) == EXCLUSIVE:
                yield Hit.at(statement, table=effect.relation, name=effect.name)


def _rebuilt(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        for index in sorted(statement.rebuilds):
            table = statement.tables.get(index)
            changed = any(statement.of("column_retyped")) or statement.rewrites
            if table is not None and not changed and statement.transactional:
                yield Hit.at(statement, table=table, name=index)


def _in_transaction(unit: TracedRevision) -> Iterator[Hit]:
    if unit.sqlstate == "25001" and unit.statements:
        yield Hit.at(unit.statements[-1], what=" ".join(unit.statements[-1].sql.split()[:4]))


def _over_invalid(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        if _OVER_INVALID.search(statement.sql):
            yield Hit.at(statement)


RULES = (
    Rule(
        id="require-concurrent-index",
        title="An index built while writers wait",
        consequence="writers of {table} wait until {name} is built",
        help="op.create_index_concurrently, in a revision of its own; for a partitioned table one "
        "for each partition, attached to one that is made ON ONLY the table",
        rewrite='op.create_index_concurrently("ix_jobs_rank", "jobs", ["rank"])',
        detect=_created,
    ),
    Rule(
        id="require-concurrent-index-drop",
        title="An index dropped while everybody waits",
        consequence="everybody waits for {table} while {name} is dropped, and behind whoever "
        "reads it now",
        help="op.drop_index_concurrently, in a revision of its own",
        rewrite='op.drop_index_concurrently("ix_jobs_rank")',
        detect=_dropped,
    ),
    Rule(
        id="require-concurrent-reindex",
        title="An index built anew while writers wait",
        consequence="writers of {table} wait until {name} is built anew, and so does whoever "
        "reads by it",
        help="op.reindex_concurrently, in a revision of its own",
        rewrite='op.reindex_concurrently("ix_jobs_rank")',
        detect=_rebuilt,
    ),
    Rule(
        id="require-step-outside-a-transaction",
        title="A concurrent step inside a transaction",
        consequence="PostgreSQL refuses {what} … inside a transaction",
        help="use the operation for it (op.create_index_concurrently and its like), alone in a "
        "revision",
        rewrite='op.create_index_concurrently("ix_jobs_rank", "jobs", ["rank"])',
        detect=_in_transaction,
    ),
    Rule(
        id="avoid-if-not-exists-on-concurrent-index",
        title="IF NOT EXISTS over an index that may be invalid",
        consequence="an index that a broken build left behind counts as existing, and nobody "
        "learns that it is not used",
        help="op.create_index_concurrently, which repairs an invalid index and refuses another one",
        rewrite='op.create_index_concurrently("ix_jobs_rank", "jobs", ["rank"])',
        detect=_over_invalid,
    ),
)
