"""Rules on gaps: what the run on the scratch database did not come to, so nobody has seen it.

A revision that breaks one of them has no verdict: it is `unknown`.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from surefoot.chain.coding import parsed
from surefoot.operations.enums import BLOCK_TAG
from surefoot.operations.lock_class import without_comments
from surefoot.rules.findings import Hit, Rule, TracedRevision
from surefoot.rules.unseen_lines import choices, given, unmade, unseen
from surefoot.trace.statement import Statement

# Of a revision; that of op.replace_enum chooses by the catalog alone.
_BLOCK = re.compile(rf"\s*DO\b(?!\s*{re.escape(BLOCK_TAG)})", re.IGNORECASE)
_TEXT = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
# A choice that only refuses, or that passes an error over: there is nothing to see in it.
_HARMLESS = re.compile(
    r"\bIF\b[^;]*?\bTHEN\s+RAISE\b[^;]*;\s*END\s+IF|"
    r"\bWHEN\s+[\w\s]+THEN\s+(?:NULL|RAISE\b[^;]*)\s*;|\bIF\s+(?:NOT\s+)?EXISTS\s+(?!\()\w",
    re.IGNORECASE,
)
_UNSEEN_MODULES = {
    "subprocess", "multiprocessing", "threading", "concurrent.futures", "socket", "ssl", "smtplib",
    "ftplib", "http.client", "urllib.request",
}  # fmt: skip
_UNSEEN_CALLS = re.compile(
    r"\b(os\.(?:system|popen|fork|remove|unlink|rename|replace|rmdir|truncate)|shutil\.\w+|"
    r"unlink|rmdir|write_text|write_bytes|create_(?:async_)?engine|create_subprocess_\w+|to_thread|"
    r"open_connection|run_in_executor|atexit\.register|signal\.signal|weakref\.finalize)$"
)
# SQL that reaches what a scratch database does not have, or more than its transaction.
_BEYOND = {
    "a scratch database has no other sessions": r"\b(pg_(?:terminate|cancel)_backend)\s*\(",
    "a scratch database has none of the large objects": r"\b(lo_(?:unlink|truncate\w*))\s*\(",
    "a scratch database has no replication": r"\b(pg_\w*replication_\w+)\s*\(",
    "a scratch database has the collations of its own server": (
        r"\b(REFRESH\s+(?:COLLATION\s+)?VERSION)\b"
    ),
    "it works through a connection of its own": r"\b(dblink\w*)\s*\(",
    "it uses files or programs of the server": r"\b(pg_\w+_(?:file|dir)|lo_(?:im|ex)port)\s*\(|"
    r"(?:^|[;$])\s*(COPY)\b[^;]*\b(?:FROM|TO)\s+(?:PROGRAM\b|E?')",
    "it acts on the whole server, whatever becomes of the revision": r"\b(pg_(?:reload_conf|"
    r"rotate_logfile|switch_wal|promote|stat_reset\w*))\s*\(|^\s*(CHECKPOINT)\b",
}
# A function is created, and not called.
_NAMES_ONLY = re.compile(
    r"\s*(?:CREATE|COMMENT|ALTER(?!.*\bREFRESH\b)|DROP|GRANT|REVOKE)\b", re.IGNORECASE | re.DOTALL
)
_HANDLES = re.compile(r"\bEXCEPTION\s+WHEN\s+(?!duplicate_)", re.IGNORECASE)
_CHOICE = re.compile(r"\b(?<!END )(?:IF|ELSE|ELSIF|ELSEIF|LOOP|EXCEPTION\s+WHEN)\b", re.IGNORECASE)


def _incomplete(unit: TracedRevision) -> Iterator[Hit]:
    if not unit.complete:
        statements = unit.statements
        line = statements[-1].line if statements and statements[-1].error else unit.stopped_line
        yield Hit(line=line, values={"why": " ".join((unit.stopped or "?").split())})


def _unseen_lines(unit: TracedRevision) -> Iterator[Hit]:
    if unit.complete and unit.executed is not None:
        sent = Counter(statement.line for statement in unit.statements)
        found = unseen(unit.source, unit.executed)
        changed = {each.line for each in unit.statements if each.effects or each.written}
        idle = [(line, line) for line in unmade(unit.source, unit.executed, sent, changed)]
        for first, last in sorted({*found, *idle, *choices(unit.source, unit.executed, sent)}):
            lines = f"line {first}" if first == last else f"lines {first} to {last}"
            yield Hit(line=first, values={"lines": lines})


def _skipped(unit: TracedRevision) -> Iterator[Hit]:
    for number, statement in enumerate(unit.statements):
        for notice in statement.skipped:
            if not _is_made(notice, unit.statements[number + 1 :]):
                yield Hit.at(statement, notice=notice)


def _is_made(notice: str, statements: Sequence[Statement]) -> bool:
    """Whether one of the statements creates what was to be dropped first."""
    name = re.search(r'"([^"]+)"|(\w+)\(', notice)
    if name is None:
        return False
    made = re.compile(rf"\s*CREATE\b.*\b{re.escape(name[1] or name[2])}\b", re.DOTALL)
    return any(made.match(without_comments(each.sql)) for each in statements)


def _passed_over(unit: TracedRevision) -> Iterator[Hit]:
    failed = [statement for statement in unit.statements if statement.error]
    for statement in failed if unit.complete else failed[:-1]:
        yield Hit.at(statement, sqlstate=statement.error)


def _unmet(unit: TracedRevision) -> Iterator[Hit]:
    for statement in unit.statements:
        for table in sorted(statement.unmet):
            yield Hit.at(statement, table=table)


def _chooses(unit: TracedRevision) -> Iterator[Hit]:
    """One block of a revision, as it does not become clearer by repetition, and each text."""
    for statement in unit.statements:
        what, acts = " and ".join(sorted(statement.calls)), statement.effects or statement.written
        if _BLOCK.match(without_comments(statement.sql)):
            text = _HARMLESS.sub(" ", _TEXT.sub(" ", statement.sql))
            branches = [each.upper() for each in _CHOICE.findall(text)]
            # Its one branch has run where it did anything.
            what = "the block" if branches and not (branches == ["IF"] and acts) else ""
            # An error that it passes over may have kept it from everything.
            if not acts and _HANDLES.search(statement.sql):
                what = "the block"
        if what:
            yield Hit.at(statement, what=what)
            break
    for line in given(unit.source, unit.executed or frozenset()):
        sent = [each for each in unit.statements if each.line == line]
        what = "the text, made from the environment or from a query,"
        yield Hit(sent[0] if sent else None, line, {"what": what})


def _out_of_sight(unit: TracedRevision) -> Iterator[Hit]:
    """Other processes, threads, connections and sessions; for imports there is another rule."""
    for node in ast.walk(parsed(unit.source)):
        if isinstance(node, ast.Import):
            found = {alias.name for alias in node.names} & _UNSEEN_MODULES
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found = ({node.module or ""} | names) & _UNSEEN_MODULES
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found = set(_UNSEEN_CALLS.findall(called))
            if called in ("open", "io.open") and re.search(r"'[rb]*[wax+]", ast.unparse(node)):
                found.add("a file that it writes")
        else:
            continue
        why = "neither its statements nor how long locks are held meanwhile"
        for name in sorted(found):
            yield Hit(line=node.lineno, values={"name": name, "why": why})
    for statement in unit.statements:
        sql = without_comments(statement.sql)
        for why, pattern in _BEYOND.items() if not _NAMES_ONLY.match(sql) else ():
            if match := re.search(pattern, sql, re.IGNORECASE):
                yield Hit.at(statement, name=match[match.lastindex or 0], why=why)


RULES = (
    Rule(
        id="require-complete-trace",
        title="A revision that does not run to its end on the scratch database",
        consequence="on the scratch database it was not run to its end, and the rest of it is "
        "unseen: {why}",
        help="correct the revision; where it needs something that a scratch database does not "
        "have, allow this rule with the reason",
        rewrite="# a revision that runs on the schema of the revisions before it",
        page="ddl-alter",
        detect=_incomplete,
        seen="run",
    ),
    Rule(
        id="require-every-line-run",
        title="A line that did not run on the scratch database",
        consequence="{lines} did not run on the scratch database, or not completely: their "
        "statements are unseen",
        help="let the revision do the same on every database, or allow this rule with the reason",
        rewrite="# the same statements on every database, without a condition around {lines}",
        page="ddl-alter",
        detect=_unseen_lines,
        seen="run",
    ),
    Rule(
        id="require-effect-of-statement",
        title="A statement that did nothing on the scratch database",
        consequence="it did not do all that it says ({notice}); where somebody has made or dropped "
        "this by hand, it does more, unseen",
        help="name only what the revisions before have made, or allow this rule with the reason",
        rewrite="# the statement without IF EXISTS or IF NOT EXISTS",
        page="sql-dropindex",
        detect=_skipped,
        seen="run",
    ),
    Rule(
        id="avoid-passing-over-an-error",
        title="A statement that failed, and the revision went on",
        consequence="it ends with SQLSTATE {sqlstate} on the scratch database, and the revision "
        "goes on: what it does where it succeeds is unseen",
        help="let the revision fail, or allow this rule with the reason",
        rewrite="# without try and except",
        page="sql-savepoint",
        detect=_passed_over,
        seen="run",
    ),
    Rule(
        id="avoid-work-out-of-sight",
        title="A process, a connection, a file or another session, which lint does not see",
        consequence="nobody sees what the revision does by {name}: {why}",
        help="use the connection of the revision; do everything else outside of it, or allow this "
        "rule with the reason",
        rewrite="# op.execute() alone",
        page="explicit-locking",
        detect=_out_of_sight,
        seen="read",
    ),
    Rule(
        id="avoid-unmeasured-change",
        title="A change of rows that few sample rows meet, or none",
        consequence="few sample rows of {table} meet its condition, or none: how many rows of a "
        "database it changes, there and by triggers and foreign keys, is unseen",
        help="`surefoot plan` asks the database; many rows are for batches outside of the revision",
        rewrite="# a class in backfills/, and requires_backfill in the revision that needs it",
        page="sql-explain",
        detect=_unmet,
        seen="run",
        level="warning",
    ),
    Rule(
        id="avoid-choice-in-sql",
        title="A block, a function or a text that may choose what it does",
        consequence="{what} may do something else on another database: what it did on the scratch "
        "database is all that is seen",
        help="write the statements into the revision, as they are, without conditions",
        rewrite="# op.execute() for each statement, without a condition",
        page="sql-do",
        detect=_chooses,
        seen="run",
        level="warning",
    ),
)
# The rule about a revision that was not run to its end.
INCOMPLETE = RULES[0].id
UNSEEN = frozenset(rule.id for rule in RULES if rule.level == "error")
