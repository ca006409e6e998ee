"""squawk, a linter of SQL, asked for what the trace does not know: how a schema is designed.

The statements that a revision executed are handed to it one after the other. What it says about
locks, scans and rewrites is left out: those were measured.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from surefoot.trace.statement import Statement

TIMEOUT_S = 30


@dataclass(frozen=True)
class Remark:
    """One remark of squawk's on a statement."""

    rule: str
    statement: Statement


def remarks(statements: Sequence[Statement], major: int) -> Sequence[Remark]:
    """What squawk says of the statements, in their order; nothing where it is not installed."""
    program = _program()
    if program is None or not statements:
        return ()
    text, owners = "", []
    for statement in statements:
        sql = statement.sql.rstrip().rstrip(";") + ";\n"
        text += sql
        owners += [statement] * sql.count("\n")
    done = subprocess.run(  # noqa: S603 - the program beside this Python, or the one on the path
        [program, "--reporter", "json", f"--pg-version={major}", "--stdin-filepath", "r.sql"],
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    found = json.loads(done.stdout or "[]")
    # Its lines are counted from 0, and what it cannot read it calls a syntax error.
    return [
        Remark(each["rule_name"], owners[each["line"]])
        for each in found
        if each["line"] < len(owners)
    ]


def is_installed() -> bool:
    """Whether squawk can be asked."""
    return _program() is not None


def _program() -> str | None:
    beside = Path(sys.executable).with_name("squawk")
    return str(beside) if beside.exists() else shutil.which("squawk")
