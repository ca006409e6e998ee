"""Steps are written into a revision where they replace one statement that does nothing else."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from surefoot.catalog import Key
from surefoot.chain.revisions import Revision
from surefoot.remedies.rewriting import NotCertain, rewritten
from surefoot.remedies.steps import SafeForm, Step
from surefoot.rules.findings import Finding, TracedRevision
from surefoot.trace.effects import Effect
from surefoot.trace.schema_objects import Activity
from surefoot.trace.statement import Statement

PATH = Path("0009_change.py")
HEAD = '"""Change."""\n\nfrom alembic import op\n\nrevision = \'0009\'\n\n\n'
FIRST = 9
NO_WAY_BACK = "downgrade() has no one statement that takes t.c back"
INDEX = Step("this revision", (), "expand", "op.build('i')", "op.unbuild('i')")
CHECK = Step("this revision", (), "contract", "sa.text('loose')", "op.drop('c')")
PROOF = Step("Validate c of t", ("It scans.",), "expand", "op.prove('c')", "op.drop('c')")


def source(up: str, down: str = "op.drop_it()") -> str:
    bodies = (textwrap.indent(each, "    ") for each in (up, down))
    return "{}def upgrade():\n{}\n\n\ndef downgrade():\n{}\n".format(HEAD, *bodies)


def written(
    text: str, *steps: Step, line: int = FIRST, activity: Activity | None = None, after: str = ""
) -> list[str]:
    """The files with a safe form for the constraint c of t, found in that line."""
    ran = Statement(
        "0009", line, 1, "…", True, activity={"t": activity} if activity is not None else {}
    )
    unit = TracedRevision("0009", PATH, "expand", (ran,), source=text)
    chain = [Revision("0009", ("0008",), "expand", "change", "")]
    chain += [Revision(after, ("0009",), "expand", "next", "")] if after else []
    where = next(
        n for n, row in enumerate(text.splitlines(), 1) if "drop_it" in row or "pass" in row
    )
    back = [
        Statement("0009", where, 1, "…", True, effects=(Effect("constraint_dropped", "t", "c"),))
    ]
    finding = Finding("require-not-valid-check", "error", "0009", PATH, line, "c", "h")
    form = SafeForm(Key("constraint", "t.c"), steps, False, "")
    return [each.after for each in rewritten(unit, chain[0], chain, {finding: form}, back)]


def test_the_first_step_takes_the_place_of_the_statement() -> None:
    """The others get files of their own, one on top of the other; an import is added."""
    changed, proof = written(source("op.make(\n    1,\n)\nop.other()"), CHECK, PROOF)
    assert changed == HEAD.replace("from", "import sqlalchemy as sa\nfrom", 1) + (
        "def upgrade():\n    sa.text('loose')\n    op.other()\n\n\n"
        "def downgrade():\n    op.drop('c')\n"
    )
    assert proof == (
        '"""Validate c of t.\n\nIt scans.\n"""\n\nfrom alembic import op\n\n'
        'revision = "0010"\ndown_revision = "0009"\nphase = "expand"\n\n\n'
        "def upgrade() -> None:\n    op.prove('c')\n\n\n"
        "def downgrade() -> None:\n    op.drop('c')\n"
    )


def test_a_step_that_has_to_be_alone_stays_only_where_it_is_alone() -> None:
    """Elsewhere its statement goes, and the way back with it."""
    alone = Step("this revision", (), "expand", "op.build_concurrently('i')", "op.unbuild()")
    (changed,) = written(source("op.make()"), alone)
    assert "def upgrade():\n    op.build_concurrently('i')\n" in changed
    changed, new = written(source("op.make()\nop.other()"), alone)
    assert changed.endswith("def upgrade():\n    op.other()\n\n\ndef downgrade():\n    pass\n")
    assert new.startswith('"""Add c.\n')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (source("if True:\n    op.make()"), "it does not stand by itself in upgrade()"),
        (source("for each in (1, 2): op.make()"), "it does not stand by itself in upgrade()"),
        (source("op.make()", "if True:\n    op.drop_it()"), NO_WAY_BACK),
    ],
)
def test_what_is_not_one_statement_is_done_by_hand(text: str, said: str) -> None:
    """A loop or a condition cannot be replaced by a step."""
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "op.make()" in row)
    with pytest.raises(NotCertain) as refused:
        written(text, CHECK, PROOF, line=line)
    assert str(refused.value) == said


def test_what_does_more_or_is_built_on_is_done_by_hand() -> None:
    """Rows that the statement changes are in no schema."""
    with pytest.raises(NotCertain, match="its line does more than this"):
        written(source("op.make()"), CHECK, activity=Activity(1, updated=3))
    with pytest.raises(NotCertain, match="other revisions build on 0009"):
        written(source("op.make()"), CHECK, after="0010")


def test_a_downgrade_that_takes_nothing_back_stays() -> None:
    """One that raises, with its reason."""
    text = source("op.make()", "raise NotImplementedError('drop_it')")
    changed, _ = written(text, CHECK, PROOF)
    assert changed.endswith("def downgrade():\n    raise NotImplementedError('drop_it')\n")
