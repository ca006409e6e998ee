"""squawk, a linter for SQL, checks the design of a schema, which a trace does not show.

It reads the statements that a revision executed. Its rules on locks, scans and rewrites are not
used: the trace measures those.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from surefoot.frozen import dataclass
from surefoot.trace.statement import Statement

TIMEOUT_S = 30
# Rules of it that are used, and that it applies only where it is asked to.
ASKED = ("ban-alter-role-options", "ban-alter-database-options", "ban-alter-system-options")
_OPTIONS = ("--reporter=json", "--stdin-filepath=r.sql", *(f"--include={each}" for each in ASKED))
# A statement of more characters is not shown to it.
LONGEST = 100_000


@dataclass(frozen=True)
class Remark:
    """A remark of squawk on a statement."""

    rule: str
    statement: Statement


def remarks(statements: Sequence[Statement], major: int) -> Sequence[Remark]:
    """Its remarks on the statements, in their order; none where squawk is not installed."""
    program = _program()
    if program is None or not statements:
        return ()
    text, owners = "", []
    for statement in statements:
        if len(statement.sql) > LONGEST:
            continue  # rows, and no design
        sql = statement.sql.rstrip().rstrip(";") + ";\n"
        text += sql
        owners += [statement] * sql.count("\n")
    done = subprocess.run(  # noqa: S603 - the program beside this Python, or the one on the path
        [program, *_OPTIONS, f"--pg-version={major}"],
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    # It counts lines from 0. SQL that it cannot parse gives a syntax error, which no rule uses.
    return [
        Remark(each["rule_name"], owners[each["line"]])
        for each in json.loads(done.stdout or "[]")
        if each["line"] < len(owners)
    ]


def is_installed() -> bool:
    return _program() is not None


def _program() -> str | None:
    beside = Path(sys.executable).with_name("squawk")
    return str(beside) if beside.exists() else shutil.which("squawk")
