"""The texts of a planned revision in a file whose template does not ask for them.

A `script.py.mako` that Alembic made writes the message and the operations. The phase and the
reasons would be lost, and lint would refuse what the planner decided.
"""

import ast
from collections.abc import Mapping
from io import StringIO

from surefoot.autogenerate.revision_text import RevisionText, RevisionTexts

_NAMES = {"revision", "down_revision", "branch_labels", "depends_on", "phase"}


def with_phase(source: str) -> str:
    """The source of an empty revision, or of a merge, with its phase; any other as it is."""
    module = ast.parse(source)
    functions = [each for each in module.body if isinstance(each, ast.FunctionDef)]
    assigned = {name: node for node in module.body for name in _assigned(node)}
    if "phase" in assigned or not all(map(_does_nothing, functions)):
        return source
    lines = StringIO(source).readlines()
    lines.insert(_end(assigned), 'phase = "expand"\n')
    return "".join(lines)


def completed(source: str, text: RevisionText) -> str:
    """The source with docstring, phase and backfills, each where it has none."""
    locks, undo = (
        RevisionTexts.line(*each) for each in (("Locks", text.locks), ("Undo", text.undo))
    )
    module = ast.parse(source)
    lines = StringIO(source).readlines()  # as `ast` counts them, by line feeds alone
    assigned = {name: node for node in module.body for name in _assigned(node)}
    phase = ""
    if "phase" not in assigned:
        phase = f'phase = "{text.phase}"\n'
        if text.phase == "contract":
            former = ast.literal_eval(getattr(assigned.get("down_revision"), "value", "None"))
            phase += (
                "# The oldest revision whose code works after this one; without it no older build "
                f"does.\n# requires_code = {RevisionTexts.literal(former)}\n"
            )
    if text.requires_backfill and "requires_backfill" not in assigned:
        phase += f"requires_backfill = {RevisionTexts.literal(text.requires_backfill)}\n"
    lines.insert(_end(assigned), phase)
    if locks in source or text.why in source:
        return "".join(lines)
    said = f"\n{text.why}\n\n{locks}\n{undo}\n"
    match module.body:
        case [ast.Expr(value=ast.Constant(value=str(told)), end_lineno=int(end), lineno=first), *_]:
            safe = told.rstrip().replace("\\", "\\\\").replace('"""', "'''")
            title, *rest = safe.split("\n")
            more = "\n".join(rest).rstrip() + "\n" if any(rest) else ""
            lines[first - 1 : end] = [f'"""{title}\n{said}{more}"""\n']
        case _:
            lines.insert(0, f'"""{said.lstrip()}"""\n')
    return "".join(lines)


def _end(assigned: Mapping[str, ast.stmt]) -> int:
    """The line behind the names of Alembic."""
    ends = (node.end_lineno or 0 for name, node in assigned.items() if name in _NAMES)
    return max(ends, default=0)


def _does_nothing(function: ast.FunctionDef) -> bool:
    return all(
        isinstance(each, ast.Pass)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in function.body
    )


def _assigned(node: ast.stmt) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return [each.id for each in targets if isinstance(each, ast.Name)]
