"""Writes planned revisions: Alembic's scripts with their texts, and the files of backfills."""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from alembic.migration import MigrationContext
from alembic.operations import ops
from alembic.script import ScriptDirectory

from surefoot.autogenerate import backfills, former_backfills
from surefoot.autogenerate.change import Change
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.planner import RevisionPlan, plan
from surefoot.autogenerate.plugin import STYLE, texts_of
from surefoot.autogenerate.questions import Candidate, Move, about_tables, ask, doubt
from surefoot.autogenerate.rendering import Call
from surefoot.autogenerate.revision_text import RevisionText, docstring, unmeasured
from surefoot.autogenerate.style import said
from surefoot.chain.numbering import is_number, next_number
from surefoot.project import Project
from surefoot.quoting import shown
from surefoot.wording import counted

# Of the script that Alembic made: the first revision stands where it stood.
_OF_FIRST = ("head", "splice", "branch_label", "depends_on")
# More revisions than a person expects of one change.
_MANY = 10
_LOSES_DATA = (("drop", "table"), ("drop", "column"))
_ASKS = re.compile(rb"\bpage\.of\b")
_INCOMPLETE = """\
NOTE  the files lack phase, reasons and required backfills: script.py.mako does not ask for them
  help: name a hook of the type surefoot in [post_write_hooks], with revision_environment = true
"""


def ids(context: MigrationContext) -> list[str]:
    """The revisions of the chain, oldest first; a merge to which Alembic gave its id is none."""
    script = cast("ScriptDirectory", context.script)
    return [
        each.revision
        for each in script.walk_revisions()
        if is_number(each.revision) or not each.is_merge_point
    ][::-1]


def written(
    script: ops.MigrationScript, operations: ops.UpgradeOps, context: MigrationContext
) -> list[ops.MigrationScript]:
    """The planned revisions with their texts, and the files of the backfills that they require."""
    comparison: Comparison = operations.info["comparison"]
    doubtful: list[Candidate | Move] = operations.info["doubtful"]
    planned = plan(cast("list[Change]", operations.ops), comparison)
    made = [*_scripts(script, planned, comparison, ids(context))]
    forms = said((each.changes for each in planned), operations.info["forms"], comparison)
    project: Project | None = context.opts[STYLE][0] if STYLE in context.opts else None
    before = cast("ScriptDirectory", context.script).get_revisions(script.head or "head")
    placed = backfills.placed(
        [(str(each.rev_id), of.changes) for each, of in zip(made, planned, strict=True)],
        comparison,
        next((each.revision for each in before if each), None),
        project.lock if project else None,
    )
    former = former_backfills.former_backfills(operations.info["renames"], project)
    lost = set[str]()
    for each, of, told in zip(made, planned, forms, strict=True):
        dropped = {one.key.name for one in of.changes if (one.action, one.key.kind) in _LOSES_DATA}
        doubts = [one.doubt() for one in doubtful if one.old in {*map(shown, dropped)}]
        doubts += map(doubt, sorted(comparison.gone_tables & dropped))
        lost |= comparison.gone_tables & dropped
        # The purpose is left to a person, unless the planner gave the title.
        purpose = () if of.title and of.about else (RevisionText.why,)
        filled = backfills.told(of.changes, placed)
        unnamed = former_backfills.before(of.changes, former)
        known = former_backfills.told(unnamed)
        sentences = (*purpose, *of.about, *filled, *known, *doubts, *told)
        why = shown("\n\n".join(map(docstring, sentences)))
        names = (*unnamed, *backfills.needed(of.changes, placed))
        needed = names[0] if len(names) == 1 else names
        text = RevisionText(why, of.phase, unmeasured(), unmeasured(), needed)
        texts_of(context).texts[str(each.rev_id)] = text
    place = project.ini.parent if project else Path()
    ask([*about_tables(lost, place), *(each.question() for each in doubtful)])
    if project:
        ask(backfills.write(placed.values(), project.lock))
    if made and not _are_completed(context):
        sys.stderr.write(_INCOMPLETE)
    if len(made) > _MANY:
        told = "-x style=plain writes what fits one transaction into one"
        sys.stderr.write(f"OK  {counted(len(made), 'revision')}; {told}\n")
    return made


def _are_completed(context: MigrationContext) -> bool:
    """Whether the texts come into the files, by their template or by the hook."""
    config = context.config
    if config is None or any(hook.get("type") == "surefoot" for hook in config.get_hooks_list()):
        return True
    template = Path(cast("ScriptDirectory", context.script).dir) / "script.py.mako"
    # Alembic says where it is missing, or cannot be read.
    return not template.is_file() or _ASKS.search(template.read_bytes()) is not None


def _scripts(
    script: ops.MigrationScript,
    planned: Sequence[RevisionPlan],
    comparison: Comparison,
    known: Sequence[str],
) -> Iterator[ops.MigrationScript]:
    """One script for each planned revision; each builds on the one before."""
    first = str(script.rev_id)
    given = {name: getattr(script, name) for name in _OF_FIRST}
    for number, each in enumerate(planned):
        later = next_number([*known, first], number) or f"{first}_{number + 1}"
        upgrade = ops.UpgradeOps(list(each.changes))
        made = ops.MigrationScript(
            rev_id=later if number else first,
            message=each.title or script.message,
            imports=_imports(each, comparison),
            upgrade_ops=upgrade,
            downgrade_ops=upgrade.reverse(),
            version_path=script.version_path,
            **given,
        )
        given = {"head": made.rev_id}
        yield made


def _imports(planned: RevisionPlan, comparison: Comparison) -> set[str]:
    """The imports of a revision that has a type as the project spells it."""
    made = (op for each in planned.changes for op in (*each.ops, *each.undo))
    spelled = "".join(op.spelled() for op in made if isinstance(op, Call))
    has_some = any(text in spelled for text in comparison.models.spelled.values())
    return set(comparison.imports) if has_some else set()
