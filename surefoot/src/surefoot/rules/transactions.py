"""Rules on transactions: the work that a revision does while it holds a lock."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from surefoot.operations.lock_class import lock_class
from surefoot.rules.findings import Detector, Hit, Rule, TracedRevision
from surefoot.trace.expected_rows import MANY_ROWS
from surefoot.trace.lock_modes import EXCLUSIVE, blocks_writers, strongest
from surefoot.trace.statement import FEW, Statement
from surefoot.wording import counted, duration

# The highest lock timeout that a revision may set, in seconds.
LONGEST_S = 10
# Sample rows are few: what takes longer, and writes fewer rows, waits and does not work.
WAIT_S = 0.5
FEW_ROWS = 1000
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
SETS = re.compile(r"\s*(?:(?:RE)?SET\s|SELECT\s+(?:pg_catalog\.)?set_config\s*\()", re.IGNORECASE)
# Of the lock timeout require-lock-timeout decides.
_SETS_SESSION = re.compile(
    r"(?:^|[;'$]|\bBEGIN)\s*SET\s+(?:SESSION\s+)?(?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b|SESSION\b|lock_timeout\b)"
    r"(\w+)\s*(?:=|\bTO\b)(?!\s*DEFAULT\b)",
    re.IGNORECASE,
)

# What else outlives a revision, by the first word of its name.
_HOW = {
    "advisory": "keeps others waiting",
    "cursor": "keeps its rows on the server",
    "temporary": "hides the other of its name",
}
# Statements that lock rows, and the locks that they take on their tables.
_ROWS = re.compile(r"\b(?:UPDATE|DELETE|MERGE|FOR\s+(?:KEY\s+)?SHARE)\b", re.IGNORECASE)
_OF_ROWS = ("ROW SHARE", "ROW EXCLUSIVE")
_RESTORED = "the environment restores it"


def _timeout(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        now_ms = statement.lock_timeout_ms
        unbounded = now_ms == 0 or now_ms > LONGEST_S * 1000
        changed = now_ms != statement.former_lock_timeout_ms and statement.transactional
        # The environment sets the longer timeout of a patient statement itself.
        if unbounded and changed and lock_class(statement.sql) == "short":
            yield Hit.at(statement, value=duration(now_ms / 1000) if now_ms else "none")
            continue
        sql = COMMENT.sub(" ", statement.sql)
        # A function or a block sets it, and its end restores it.
        if "lock_timeout" in sql.lower() and not SETS.match(sql):
            yield Hit.at(statement, value="set by the statement itself")


def _under_lock(unit: TracedRevision, *, readers: bool) -> Iterator[Hit]:
    """Work while readers wait, or writers alone."""
    rows = 0
    for statement in unit.statements:
        before, after = (_locked(statement, each) for each in (statement.held, statement.locks))
        held, works = before, statement.scans | statement.rewrites | statement.sweeps
        works |= statement.sampled
        if not before and after:
            # A block or a function has taken the lock, and works on.
            held, works = after, statement.sweeps - statement.rewrites - set(statement.locks)
        rows = rows + statement.written if held and statement.transactional else 0
        if not held or readers != (EXCLUSIVE in held.values()):
            continue
        if not readers:
            # A change of the same table's schema has a rule of its own.
            works -= held.keys() & {effect.relation for effect in statement.effects}
        if works or rows > MANY_ROWS:
            waits = sorted(t for t, mode in held.items() if mode == EXCLUSIVE or not readers)
            work = f"{', '.join(sorted(works))} is scanned or changed"
            work = work if works else f"it reads or writes {counted(rows, 'row')}"
            yield Hit.at(statement, held=", ".join(waits), work=work)
            rows = 0


def _waits(unit: TracedRevision) -> Iterator[Hit]:
    """Where locks that others wait for are held while nothing is done for a moment or longer."""
    idle_s, held, rows = 0.0, "", set[str]()
    for statement in unit.statements:
        if not statement.transactional:
            continue
        worked = statement.scans | statement.rewrites | statement.changes_rows
        rests = not worked and statement.written < FEW_ROWS and statement.seconds >= WAIT_S
        before = ", ".join(sorted(_blocking(statement, statement.held) | rows))
        if before and rests:
            yield Hit.at(statement, held=before, time=duration(statement.seconds))
        if _ROWS.search(statement.sql):
            modes = {**statement.held, **statement.locks}.items()
            tables = {t for t, mode in modes if mode in _OF_ROWS} - statement.tables.keys()
            rows |= {f"a row of {table}" for table in tables}
        locked = _blocking(statement, statement.held) | _blocking(statement, statement.locks)
        if rows and not locked and statement.times == 1 and statement.idle_s >= WAIT_S:
            some = ", ".join(sorted(rows))
            yield Hit.at(statement, held=some, time=duration(statement.idle_s))
        if not (after := ", ".join(sorted(locked))):
            continue
        idle_s, held = idle_s + statement.idle_s, after
        if idle_s >= WAIT_S:
            yield Hit.at(statement, held=held, time=duration(idle_s))
            idle_s = 0.0


def _outlives(unit: TracedRevision) -> Iterator[Hit]:
    for number, statement in enumerate(unit.statements):
        names = set(statement.outlives)
        # The scratch server may have that value already.
        if (match := _SETS_SESSION.search(COMMENT.sub(" ", statement.sql))) and not statement.sets:
            later = " ".join(each.sql for each in unit.statements[number + 1 :])
            names |= {match[1].lower()} - set(re.findall(r"\w+", later.lower()))
        others = sorted(name for name in names if " " in name)
        if settings := ", ".join(sorted(names - {*others})):
            what = (
                f"{settings} stays changed after the revision where psql runs its SQL; {_RESTORED}"
            )
            yield Hit.at(statement, names=settings, what=what)
        for name in others:
            how = _HOW[name.partition(" ")[0]]
            yield Hit.at(statement, what=f"{name} {how} after the revision, until the session ends")


def _two_tables(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        if not statement.transactional:
            continue
        held = _blocking(statement, statement.held)
        taken = _blocking(statement, statement.locks) - held
        if taken and held:
            yield Hit.at(statement, held=", ".join(sorted(held)), taken=", ".join(sorted(taken)))
            return


def _locked(statement: Statement, locks: Mapping[str, str]) -> Mapping[str, str]:
    """The tables that others wait for, with the strongest lock on each or an index of it."""
    found: dict[str, str] = {}
    for relation, mode in locks.items():
        table = statement.tables.get(relation, relation)
        if blocks_writers(mode):
            found[table] = strongest((mode, found.get(table, mode))) or mode
    return found


def _blocking(statement: Statement, locks: Mapping[str, str]) -> set[str]:
    return set(_locked(statement, locks))


def _each(tables: Callable[[Statement], Iterable[str]]) -> Detector:
    return lambda unit: (
        Hit.at(statement, table=table)
        for statement in unit.statements
        for table in sorted(tables(statement))
    )


_whole_table = _each(lambda statement: statement.sweeps)


def _unbatched(unit: TracedRevision) -> Iterator[Hit]:
    """Also many rows of a table in parts, which all are of one transaction."""
    changed, told = Counter[str](), set[str]()
    for statement in unit.statements:
        found = statement.sweeps | statement.pours
        for table, work in statement.activity.items():
            changed[table] += work.updated + work.deleted
            if changed[table] > statement.rows.get(table, 0) * FEW > 0 and table not in told:
                found |= {table}
        told |= found
        for table in sorted(found):
            yield Hit.at(statement, table=table)


def _beside_ddl(unit: TracedRevision) -> Iterator[Hit]:
    if any(blocks_writers(m) for s in unit.statements for m in s.locks.values()):
        yield from _whole_table(unit)


RULES = (
    Rule(
        id="require-lock-timeout",
        title="A lock timeout raised or removed",
        consequence="the lock timeout is {value}: reads and writes queue behind a statement that "
        "waits for its lock",
        help="leave the lock timeout to the environment, which retries the revision",
        rewrite="# nothing to do: every statement runs under a lock timeout",
        page="runtime-config-client",
        detect=_timeout,
    ),
    Rule(
        id="avoid-work-under-access-exclusive",
        title="A scan or a change of rows under ACCESS EXCLUSIVE",
        consequence="reads and writes of {held} block while {work}",
        help="do it in a separate revision, before or after",
        rewrite="# two revisions: one takes the lock, the other does the work",
        grows=True,
        page="explicit-locking",
        detect=partial(_under_lock, readers=True),
    ),
    Rule(
        id="avoid-work-under-write-lock",
        title="A scan or a change of rows under a lock that stops writes",
        consequence="writes of {held} block while {work}",
        help="do it in a separate revision, before or after",
        rewrite="# two revisions: one takes the lock, the other does the work",
        page="explicit-locking",
        detect=partial(_under_lock, readers=False),
    ),
    Rule(
        id="avoid-waiting-under-lock",
        title="A wait while a lock is held",
        consequence="the revision keeps {held} locked for {time}, also where there are no rows",
        help="do what takes time before the lock is taken, or outside of the revision",
        rewrite="# without the wait",
        page="explicit-locking",
        detect=_waits,
        seen="run",
    ),
    Rule(
        id="avoid-session-setting",
        title="A setting, a lock, a cursor or a temporary table that outlives the revision",
        consequence="{what}",
        help="use SET LOCAL, pg_advisory_xact_lock() or ON COMMIT DROP, which end with the "
        "transaction",
        rewrite="op.execute(\"SET LOCAL {names} = 'value'\")",
        page="sql-set",
        detect=_outlives,
        level="warning",
    ),
    Rule(
        id="avoid-locking-two-tables",
        title="Two tables locked in one transaction",
        consequence="the revision keeps {held} locked while it waits for {taken}; a transaction "
        "that uses them in the other order deadlocks with it",
        help="use one revision for each table",
        rewrite="# two revisions",
        page="explicit-locking",
        detect=_two_tables,
        level="warning",
    ),
    Rule(
        id="avoid-unbatched-change",
        title="Many rows changed in one statement",
        consequence="every row of {table} that it writes stays locked until the commit, and "
        "replicas receive the change as one transaction",
        help="change the rows in batches, outside of the revision",
        rewrite="# a class in backfills/, and requires_backfill in the revision that needs it",
        grows=True,
        page="sql-update",
        detect=_unbatched,
        level="warning",
    ),
    Rule(
        id="avoid-locking-many-rows",
        title="Many rows locked by a query",
        consequence="every row of {table} that it reads stays locked until the commit; writes of "
        "these rows wait",
        help="lock and change the rows in batches, outside of the revision",
        rewrite="# SELECT … FOR UPDATE SKIP LOCKED LIMIT 1000, repeated",
        page="explicit-locking",
        detect=_each(lambda statement: statement.locks_rows),
        level="warning",
    ),
    Rule(
        id="avoid-data-change-beside-ddl",
        title="Many rows changed in the transaction of a schema change",
        consequence="the locks of the schema change are held until the rows of {table} are changed",
        help="use one revision for the schema, and another one or a backfill for the rows",
        rewrite="# two revisions",
        grows=True,
        page="explicit-locking",
        detect=_beside_ddl,
    ),
    Rule(
        id="avoid-truncate",
        title="A table emptied by TRUNCATE",
        consequence="TRUNCATE takes ACCESS EXCLUSIVE on {table}; reads and writes block, and the "
        "running release loses the rows",
        help="delete the rows in batches",
        rewrite="# outside of a revision, until no row is left:\n"
        "# DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} LIMIT 10000))",
        page="sql-truncate",
        detect=_each(lambda statement: statement.emptied),
    ),
)
