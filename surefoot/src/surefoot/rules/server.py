"""Rules on what belongs to the server: its catalogs and its checks, and the locks of a run."""

import re
from collections.abc import Iterator

from surefoot.operations.lock_class import without_comments
from surefoot.rules.findings import Hit, Rule, TracedRevision
from surefoot.rules.transactions import COMMENT, SETS

_CATALOG = re.compile(
    r"\b(?:UPDATE|DELETE\s+FROM|INSERT\s+INTO|MERGE\s+INTO)\s+(?:ONLY\s+)?"
    r"(?:pg_catalog\s*\.\s*)?(pg_\w+)",
    re.IGNORECASE,
)
_TEXT = re.compile(r"'(?:[^']|'')*'")
# Settings that switch a check off: the values that do not, and the effect of the others.
_CHECKS = {
    "session_replication_role": ("origin", "foreign keys are not checked, no triggers run"),
    "check_function_bodies": ("on", "functions are created without a look at their bodies"),
    "track_counts": ("on", "changed rows are not counted, which the guard of data relies on"),
    "client_min_messages": (r"notice|log|debug\d", "nobody hears what IF EXISTS has skipped"),
    "zero_damaged_pages": ("off", "a damaged page is emptied, and its rows are lost"),
    "ignore_checksum_failure": ("off", "damaged pages are read as if they were sound"),
    "deadlock_timeout": (r"\d{1,3}|1000", "who deadlocks with the revision waits for long"),
}
# The revision table and what belongs to it.
_OWN = re.compile(r"alembic_version\w*")


def _writes_the_catalog(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        if match := _CATALOG.search(_TEXT.sub("", without_comments(statement.sql))):
            yield Hit.at(statement, catalog=match[1].lower())
        for table in sorted(t for t, work in statement.activity.items() if work.written):
            if _OWN.fullmatch(table.rpartition(".")[2]):
                yield Hit.at(statement, catalog=table)


def _switches_off(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        text = statement.sql.lower()
        for name, (safe, effect) in _CHECKS.items():
            value = statement.sets.get(name, "")
            sql = COMMENT.sub(" ", text) if name in text else ""
            within = rf"\bset(?:_config)?[\s('\"]+(?:local\s+|session\s+)?{name}\b"
            # A function or a block sets it, and its end restores it.
            if not SETS.match(sql) and re.search(within, sql):
                value = "set by the statement itself"
            if value and not re.fullmatch(safe, value):
                yield Hit.at(statement, name=name, value=value, effect=effect)


def _unlocks(unit: TracedRevision) -> Iterator[Hit]:
    return (Hit.at(statement) for statement in unit.statements if statement.unlocks)


RULES = (
    Rule(
        id="avoid-changing-the-catalog",
        title="A system catalog or the revision table changed by hand",
        consequence="{catalog} is changed without the locks and checks of a statement; what the "
        "catalogs say may be wrong after it",
        help="use the statement that makes the change",
        rewrite="# ALTER …",
        page="catalogs",
        detect=_writes_the_catalog,
    ),
    Rule(
        id="avoid-switching-checks-off",
        title="Checks of the server switched off",
        consequence="{name} is {value}: {effect}",
        help="let the server check; where rows have to come in another order, make the foreign "
        "keys deferrable",
        rewrite='op.execute("SET CONSTRAINTS ALL DEFERRED")',
        page="runtime-config-client",
        detect=_switches_off,
    ),
    Rule(
        id="avoid-advisory-unlock",
        title="An advisory lock of the run released",
        consequence="the run holds an advisory lock so that no other one starts; the statement "
        "releases it",
        help="release locks of your own by their numbers",
        rewrite='op.execute("SELECT pg_advisory_unlock(42)")  # the number of the lock',
        page="explicit-locking",
        detect=_unlocks,
    ),
)
