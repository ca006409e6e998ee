"""Whether a revision mixes a step outside a transaction with anything else, told from its source.

So it is refused before anything runs. What only shows while it runs (a loop, a helper) is caught
by `Migration.outside_transaction` all the same.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from surefoot.chain.revisions import Revision, ancestors
from surefoot.errors import CommitsByItself, MixedRevision
from surefoot.operations.concurrently import NAMES

# What of `op` runs no statement.
_SILENT = frozenset({"f", "get_bind", "get_context", "batch_alter_table", "inline_literal"})

# A file that names none of these calls none of them, and need not be parsed.
_OUTSIDE = tuple(name.encode() for name in (*NAMES, "autocommit_block"))


def refuse_mixtures(revisions: Sequence[Revision], before: Collection[str], command: str) -> None:
    """Look at the source of what may run now, where the database is at `before`.

    On failure: MixedRevision, CommitsByItself; nothing has run.
    """
    if command == "stamp":
        return
    below = ancestors(revisions, before)
    for revision in revisions:
        due = (revision.id in below) == (command == "downgrade")
        if due and revision.path is not None:
            refuse_mixture(revision.id, revision.path.read_bytes(), command)


def refuse_mixture(identifier: str, source: bytes, direction: str) -> None:
    """On failure: MixedRevision, CommitsByItself."""
    if not any(name in source for name in _OUTSIDE):
        return
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == direction:
            calls = _called(node)
            outside = [name for name in calls if name in NAMES]
            if "autocommit_block" in calls:
                raise CommitsByItself(identifier)
            if outside and len(calls) > 1:
                raise MixedRevision(identifier)


def _called(function: ast.FunctionDef) -> list[str]:
    """What is called on `op`, and the calls that end a transaction."""
    found = []
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, value = node.func.attr, node.func.value
        on_op = isinstance(value, ast.Name) and value.id == "op"
        if name == "autocommit_block" or (on_op and name not in _SILENT):
            found.append(name)
    return found
