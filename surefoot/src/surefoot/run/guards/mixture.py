"""Refuses a revision that mixes a step outside a transaction with other statements.

It reads the source, so nothing has run when it refuses. A call that is not in the source of the
revision (in a helper, in a loop) is refused by `Migration.outside_transaction` as it runs.
"""

import ast
from collections.abc import Collection, Sequence

from surefoot.chain.coding import parsed
from surefoot.chain.revisions import Revision
from surefoot.chain.source import code_of
from surefoot.errors import CommitsByItself, MixedRevision, PastNotAsSql
from surefoot.operations.concurrently import NAMES

# The members of `op` that run no statement.
_SILENT = frozenset({"f", "get_bind", "get_context", "batch_alter_table", "inline_literal"})

# A file that holds none of these names calls none of them and is not parsed.
_OUTSIDE = tuple(name.encode() for name in (*NAMES, "autocommit_block"))


def refuse_mixtures(revisions: Sequence[Revision], planned: Collection[str], command: str) -> None:
    """Look at the source of the planned revisions.

    On failure: MixedRevision, CommitsByItself; PastNotAsSql, where those of the past are among
    them. Nothing has run.
    """
    if command == "stamp":
        return
    past: list[str] = []
    for revision in revisions:
        if revision.id in planned and revision.path is not None:
            found = mixture(revision.id, code_of(str(revision.path)), command)
            if found is not None and not (revision.past and command == "upgrade"):
                raise found
            past += [revision.id] * (found is not None)
    if past:
        raise PastNotAsSql(past[0], past[-1])


def mixture(
    identifier: str, source: bytes, direction: str
) -> MixedRevision | CommitsByItself | None:
    """The refusal of a revision, as its source shows it for a direction."""
    if not any(name in source for name in _OUTSIDE):
        return None
    for node in parsed(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == direction:
            calls = _called(node)
            outside = [name for name in calls if name in NAMES]
            if "autocommit_block" in calls:
                return CommitsByItself(identifier)
            if outside and len(calls) > 1:
                return MixedRevision(identifier)
    return None


def _called(function: ast.FunctionDef) -> list[str]:
    """The calls on `op` that run a statement, and those that end a transaction."""
    found = []
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, value = node.func.attr, node.func.value
        on_op = isinstance(value, ast.Name) and value.id == "op"
        if name == "autocommit_block" or (on_op and name not in _SILENT):
            found.append(name)
    return found
