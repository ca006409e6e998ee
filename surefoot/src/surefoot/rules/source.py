"""Rules on the source of a revision file."""

import ast
import re
from collections.abc import Iterator
from functools import partial

from surefoot.chain.coding import parsed
from surefoot.chain.imports import changing_imports
from surefoot.rules.findings import Hit, Rule, TracedRevision
from surefoot.rules.suppressions import suppressions

_Rule = partial(Rule, seen="read")
# Statements that leave nothing to undo.
_MAINTAINS = re.compile(
    r"\s*(?:(?:RE)?SET|REINDEX|REFRESH|ANALY[ZS]E|VACUUM|CLUSTER)\b"
    r"|\s*ALTER\s+(?:TABLE|DOMAIN)\s+[^,]+?\s+VALIDATE\s+CONSTRAINT\s+[^,]+$",
    re.IGNORECASE,
)


def _imports(unit: TracedRevision) -> Iterator[Hit]:
    for line, name in changing_imports(unit.source.encode()):
        yield Hit(line=line, values={"name": name})


def _no_downgrade(unit: TracedRevision) -> Iterator[Hit]:
    functions = {
        node.name: node for node in parsed(unit.source).body if isinstance(node, ast.FunctionDef)
    }
    upgrade, downgrade = functions.get("upgrade"), functions.get("downgrade")
    if upgrade is None or _does_nothing(upgrade):
        return
    sent = unit.statements if unit.complete else ()
    if sent and all(_MAINTAINS.match(each.sql) for each in sent):
        return
    if downgrade is None or not _has_reason(downgrade):
        yield Hit(line=downgrade.lineno if downgrade else upgrade.lineno)


def _does_nothing(function: ast.FunctionDef) -> bool:
    return all(
        isinstance(node, ast.Pass)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )


def _has_reason(function: ast.FunctionDef) -> bool:
    """Whether it does something, or says why not: in its docstring or in what it raises."""
    if _does_nothing(function):
        return ast.get_docstring(function) is not None
    last = function.body[-1]
    raised = last.exc if isinstance(last, ast.Raise) else None
    return not isinstance(last, ast.Raise) or (isinstance(raised, ast.Call) and bool(raised.args))


def _suppressed_without_reason(unit: TracedRevision) -> Iterator[Hit]:
    for found in suppressions(unit.source):
        if not found.reason:
            yield Hit(line=found.line, values={"rule": found.rule})


UNUSED = _Rule(
    id="avoid-unused-suppression",
    title="A suppression of a rule that the revision does not break",
    consequence="the comment allows {rule}, {why}",
    help="delete the comment",
    rewrite="# without the comment",
    # Detected by surefoot.linting.lint, which knows all findings of a revision.
    detect=lambda _: iter(()),
)
REQUIRED = _Rule(
    id="require-downgrade",
    title="A revision without a downgrade and without a reason",
    consequence="the revision cannot be downgraded, which is noticed only when a downgrade is "
    "needed",
    help="write downgrade(), or raise NotImplementedError with the reason; if there is nothing "
    "to undo, say so in its docstring",
    rewrite="def downgrade() -> None:\n"
    '    raise NotImplementedError("the former values are not kept")',
    detect=_no_downgrade,
)
RULES = (
    _Rule(
        id="avoid-importing-the-application",
        title="A revision that imports the application",
        consequence="{name} may have changed when this revision runs on a new database",
        help="define the parts that the revision needs in its file, as they are now",
        rewrite='table = sa.table("table", sa.column("id", sa.BigInteger()))',
        detect=_imports,
    ),
    REQUIRED,
    _Rule(
        id="require-reason-for-suppression",
        title="A suppression without a reason",
        consequence="a later reader cannot tell whether {rule} may still be suppressed here",
        help="# allow {rule}: the reason",
        rewrite="# allow {rule}: the reason",
        detect=_suppressed_without_reason,
    ),
    UNUSED,
)
