"""The scripts of Alembic for planned revisions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from alembic.migration import MigrationContext
from alembic.operations import ops
from alembic.script import ScriptDirectory

from surefoot.autogenerate.change import Change
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.planner import RevisionPlan, plan
from surefoot.autogenerate.rendering import Call
from surefoot.chain.numbering import next_number

# Of the script that Alembic made: the first revision stands where it stood.
_OF_FIRST = ("head", "splice", "branch_label", "depends_on")


def ids(context: MigrationContext) -> list[str]:
    """The revisions of the chain, oldest first."""
    script = cast("ScriptDirectory", context.script)
    return [each.revision for each in script.walk_revisions()][::-1]


def _imports(changes: Iterable[Change], comparison: Comparison) -> set[str]:
    """The imports of a revision that has a type as the project spells it."""
    calls = (op for each in changes for op in (*each.ops, *each.undo) if isinstance(op, Call))
    written = "".join(call.spelled() for call in calls)
    has_some = any(text in written for text in comparison.models.spelled.values())
    return set(comparison.imports) if has_some else set()


def scripts(
    script: ops.MigrationScript, operations: ops.UpgradeOps, known: Sequence[str]
) -> Iterator[tuple[ops.MigrationScript, RevisionPlan]]:
    """One script for each planned revision; each builds on the one before."""
    first = str(script.rev_id)
    given = {name: getattr(script, name) for name in _OF_FIRST}
    changes = cast("list[Change]", operations.ops)
    comparison: Comparison = operations.info["comparison"]
    planned = plan(changes, comparison)
    for number, each in enumerate(planned):
        later = next_number([*known, first], number) or f"{first}_{number + 1}"
        upgrade = ops.UpgradeOps(list(each.changes))
        made = ops.MigrationScript(
            rev_id=later if number else first,
            message=each.title or script.message,
            imports=_imports(each.changes, comparison),
            upgrade_ops=upgrade,
            downgrade_ops=upgrade.reverse(),
            version_path=script.version_path,
            **given,
        )
        given = {"head": made.rev_id}
        yield made, each
