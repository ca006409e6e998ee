"""Writes planned steps into a revision: the first in place of its statement, the rest after it.

It reads and writes no file. What is not certain is refused with the reason: `NotCertain`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from surefoot.autogenerate.revision_text import RevisionTexts, docstring, imports
from surefoot.chain.coding import parsed
from surefoot.chain.numbering import next_number
from surefoot.chain.revisions import Revision
from surefoot.frozen import dataclass
from surefoot.remedies.steps import SafeForm, Step
from surefoot.rules.findings import Finding, TracedRevision
from surefoot.rules.python_lines import Lines, lines_of
from surefoot.trace.statement import Statement

_INDENT = " " * 4
_LONGEST_SLUG = 40


class NotCertain(Exception):
    """A safe form that a person has to write, with the reason."""


@dataclass(frozen=True)
class Text:
    """A file as it was, empty for a new one, and as it is to be."""

    path: Path
    before: str
    after: str


def rewritten(
    unit: TracedRevision,
    revision: Revision,
    chain: Sequence[Revision],
    forms: Mapping[Finding, SafeForm],
    back: Sequence[Statement] = (),
) -> list[Text]:
    """The file of the revision and the new ones, with these safe forms.

    `back` are the statements of its downgrade, where that was traced. On failure: NotCertain.
    """
    if any(revision.id in each.down for each in chain):
        raise NotCertain(f"other revisions build on {revision.id}")
    functions = {n.name: n for n in parsed(unit.source).body if isinstance(n, ast.FunctionDef)}
    up, down = functions["upgrade"], functions.get("downgrade")
    alone = len(_code(up)) == len(forms) == 1
    replaced: dict[Lines, str] = {}
    later: list[Step] = []
    for finding, form in forms.items():
        here, *rest = form.steps
        if here.is_concurrent and not alone:
            title = f"{'Drop' if form.is_dropped else 'Add'} {form.name}"
            here, rest = Step("", (), "", "", ""), [replace(here, title=title), *rest]
        lines = _statement_of(unit, up, finding)
        if lines in replaced:
            raise NotCertain("one statement has several findings")
        replaced[lines] = here.upgrade
        if (undo := _way_back(down, form, back)) is not None:
            replaced[undo] = here.downgrade
        later += rest
    for each in (up, *([down] if down else [])):
        places = [lines_of(statement) for statement in _code(each)]
        if places and not any(replaced.get(place, "code") for place in places):
            replaced[places[-1]] = "pass"
    source = _with_imports(_replaced(unit.source, replaced), "\n".join(replaced.values()))
    texts = [Text(unit.path, unit.source, source)]
    former = revision.id
    for number, step in enumerate(later, 1):
        new = next_number([each.id for each in chain], number) or f"{revision.id}_{number + 1}"
        slug = re.sub(r"\W+", "_", step.title.lower()).strip("_")[:_LONGEST_SLUG].rstrip("_")
        texts.append(Text(unit.path.with_name(f"{new}_{slug}.py"), "", _file(step, new, former)))
        former = new
    return texts


def _code(function: ast.FunctionDef) -> list[ast.stmt]:
    """The statements of a function without its docstring."""
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def _statement_of(unit: TracedRevision, up: ast.FunctionDef, finding: Finding) -> Lines:
    """The lines of the call that is replaced, where it does this and nothing else."""
    holding = [s for s in up.body if s.lineno <= finding.line <= lines_of(s)[1]]
    if not holding or not isinstance(holding[0], ast.Expr):
        raise NotCertain("it does not stand by itself in upgrade()")
    first, last = lines_of(holding[0])
    ran = [each for each in unit.statements if first <= each.line <= last]
    if len(ran) != 1 or ran[0].times != 1 or ran[0].changes_rows or ran[0].made_rows:
        raise NotCertain("its line does more than this")
    return first, last


def _way_back(
    down: ast.FunctionDef | None, form: SafeForm, back: Sequence[Statement]
) -> Lines | None:
    """The lines of downgrade() that take it back; none where it takes nothing back."""
    code = _code(down) if down is not None else []
    if not code or isinstance(code[-1], (ast.Raise, ast.Pass)):
        return None
    if form.key.kind == "column":  # PostgreSQL says of no statement that it allows null
        names = form.key.name.split(".")
        found = [each for each in code if all(_says(each, name) for name in names)]
    else:
        # By its effect: a naming convention may have changed the name in the file.
        ran = [s.line for s in back if any(form.name == e.name for e in s.effects)]
        found = [s for s in code if any(s.lineno <= line <= lines_of(s)[1] for line in ran)]
    if len(found) != 1 or not isinstance(found[0], ast.Expr):
        raise NotCertain(f"downgrade() has no one statement that takes {form.key.name} back")
    return lines_of(found[0])


def _says(statement: ast.stmt, name: str) -> bool:
    """Whether a string in the statement has the name."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    strings = (n.value for n in ast.walk(statement) if isinstance(n, ast.Constant))
    return any(isinstance(each, str) and word.search(each) for each in strings)


def _replaced(source: str, replaced: Mapping[Lines, str]) -> str:
    rows = source.splitlines(keepends=True)
    for (first, last), code in sorted(replaced.items(), reverse=True):
        rows[first - 1 : last] = [_indented(code)] if code else []
    return "".join(rows)


def _indented(code: str) -> str:
    return "".join(f"{_INDENT}{row}\n" if row else "\n" for row in code.split("\n"))


def _with_imports(source: str, code: str) -> str:
    """The source with an import that the new code needs."""
    missing = "import sqlalchemy as sa"
    if missing in source or not re.search(r"\bsa\.", code):
        return source
    return re.sub(r"^(?=import |from )", f"{missing}\n", source, count=1, flags=re.MULTILINE)


def _file(step: Step, identifier: str, former: str) -> str:
    about = "".join(f"\n{docstring(each)}\n" for each in step.about)
    lines = "\n".join(imports(None, step.upgrade, step.downgrade))
    return (
        f'"""{RevisionTexts.title(step.title)}\n{about}"""\n\n{lines}\n\n'
        f'revision = "{identifier}"\ndown_revision = "{former}"\nphase = "{step.phase}"\n\n\n'
        f"def upgrade() -> None:\n{_indented(step.upgrade)}\n\n"
        f"def downgrade() -> None:\n{_indented(step.downgrade)}"
    )
