"""Rules on indexes: building, dropping and rebuilding one on a table that is in use."""

import re
from collections.abc import Iterator

from surefoot.rules.findings import Hit, Rule, TracedRevision, locks_out, on, scans, stopped_by
from surefoot.trace.effects import Effect
from surefoot.trace.lock_modes import STRENGTH
from surefoot.trace.statement import Statement

_OVER_INVALID = re.compile(
    r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\b", re.IGNORECASE
)


def _blocks_writers(statement: Statement, effect: Effect) -> bool:
    table = effect.relation
    lock = statement.locks.get(table) or statement.held.get(table, "")
    # An index ON ONLY a partitioned table scans nothing.
    built = scans(statement, effect) and not effect.facts["constraint"]
    return built and STRENGTH.get(lock, 0) >= STRENGTH["SHARE"]


def _is_alone(statement: Statement, effect: Effect) -> bool:
    along = any(statement.of("constraint_dropped", "column_dropped"))
    return not along and locks_out(statement, effect)


def _rebuilt(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        if any(statement.of("column_retyped")) or statement.rewrites | statement.emptied:
            continue
        for index in sorted(statement.rebuilds & statement.tables.keys()):
            if statement.transactional:
                yield Hit.at(statement, table=statement.tables[index], name=index)


def _over_invalid(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        if _OVER_INVALID.search(statement.sql):
            yield Hit.at(statement)


RULES = (
    Rule(
        id="require-concurrent-index",
        title="An index built without CONCURRENTLY",
        consequence="writes to {table} block until {name} is built",
        help="op.create_index_concurrently in a separate revision; of a partitioned table it "
        "builds one on each partition, and attaches all",
        rewrite="# with the options of the index\n"
        'op.create_index_concurrently("{name}", "{table}", [{columns}]{schema})',
        grows=True,
        page="sql-createindex",
        detect=on("index_created", where=_blocks_writers),
    ),
    Rule(
        id="require-concurrent-index-drop",
        title="An index dropped without CONCURRENTLY",
        consequence="dropping {name} takes ACCESS EXCLUSIVE on {table}; reads and writes block, "
        "also while it waits for running queries",
        help="op.drop_index_concurrently in a separate revision; PostgreSQL drops the index of a "
        "partitioned table in no other way than this: allow it",
        rewrite='op.drop_index_concurrently("{name}"{schema})',
        page="sql-dropindex",
        detect=on("index_dropped", where=_is_alone),
    ),
    Rule(
        id="require-concurrent-reindex",
        title="An index rebuilt without CONCURRENTLY",
        consequence="reads and writes of {table} block until {name} is rebuilt: each query locks "
        "all indexes of its tables",
        help="op.reindex_concurrently in a separate revision",
        rewrite='op.reindex_concurrently("{name}"{schema})',
        grows=True,
        page="sql-reindex",
        detect=_rebuilt,
    ),
    Rule(
        id="require-step-outside-a-transaction",
        title="A concurrent statement inside a transaction",
        consequence="PostgreSQL refuses {what} … inside a transaction",
        help="use its operation, such as op.create_index_concurrently, alone in a revision",
        rewrite="# alone in its revision, outside of a transaction:\n"
        'op.create_index_concurrently("index", "table", ["column"])',
        page="sql-createindex",
        detect=stopped_by("25001"),
    ),
    Rule(
        id="avoid-if-not-exists-on-concurrent-index",
        title="IF NOT EXISTS for an index that may be invalid",
        consequence="an invalid index, left by a failed build, counts as existing; queries do not "
        "use it, and no error is raised",
        help="op.create_index_concurrently; it rebuilds an invalid index, and refuses another one",
        rewrite='op.create_index_concurrently("index", "table", ["column"])',
        page="sql-createindex",
        detect=_over_invalid,
    ),
)
