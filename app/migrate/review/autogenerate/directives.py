"""What `alembic revision` writes: the number, the name, the parts of the file.

Values that an enum gains are a revision of their own, before the one that may use them: they can
be used only once the transaction that adds them is committed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, cast

from alembic.migration import MigrationContext
from alembic.operations import ops
from alembic.script import ScriptDirectory

from app.errors import MessageMissing
from app.migrate.review.autogenerate.page import Pages
from app.migrate.review.autogenerate.steps import Step
from app.migrate.run.operations import AddEnumValueOp


def process_revision_directives(
    context: MigrationContext, revision: object, directives: list[ops.MigrationScript]
) -> None:
    """Alembic's hook: number and complete what is to be written, or see that nothing is.

    On failure: MessageMissing where the revision has no name.
    """
    if is_check(context.opts) or not directives:
        return
    asked: dict[str, Any] = context.opts["revision_context"].command_args
    script = directives[0]
    operations = cast("ops.UpgradeOps", script.upgrade_ops)
    if asked["autogenerate"] and operations.is_empty():
        directives[:] = []
        sys.stderr.write("OK  models and database are equal; no revision written\n")
        return
    if not (script.message or "").strip():
        raise MessageMissing
    if asked["rev_id"] is None:
        script.rev_id = _next_number(cast("ScriptDirectory", context.script))
    if asked["autogenerate"]:
        _split(script, directives)
    pages: Pages = context.opts["template_args"]["page"]
    for each in directives:
        pages.add(each, operations.info.get("comparison"))


def is_check(options: Mapping[str, Any]) -> bool:
    """Whether `alembic check` asks, which writes nothing."""
    # Alembic tells its commands apart by nothing else: both compare and hand in a callback.
    return getattr(options.get("fn"), "__qualname__", "").startswith("check.")


def _next_number(script: ScriptDirectory) -> str:
    """The highest number among the revisions, plus one."""
    numbers = [
        int(revision.revision)
        for revision in script.walk_revisions()
        if revision.revision.isdecimal()
    ]
    return f"{max(numbers, default=0) + 1:04d}"


def _split(script: ops.MigrationScript, directives: list[ops.MigrationScript]) -> None:
    """Put the values that enums gain into a revision before the rest, where there is a rest."""
    operations = cast("ops.UpgradeOps", script.upgrade_ops)
    values = [step for step in operations.ops if _adds_values(step)]
    rest = [step for step in operations.ops if not _adds_values(step)]
    if not values or not rest:
        return
    first = ops.MigrationScript(
        rev_id=script.rev_id,
        message=_of_values(cast("Iterable[Step]", values)),
        upgrade_ops=ops.UpgradeOps(values),
        downgrade_ops=ops.DowngradeOps(),
        head=script.head,
        splice=script.splice,
        branch_label=script.branch_label,
        version_path=script.version_path,
        depends_on=script.depends_on,
    )
    number = str(script.rev_id)
    second = ops.MigrationScript(
        rev_id=f"{int(number) + 1:04d}" if number.isdecimal() else f"{number}_2",
        message=script.message,
        upgrade_ops=ops.UpgradeOps(rest),
        downgrade_ops=ops.DowngradeOps(),
        head=first.rev_id,
        version_path=script.version_path,
    )
    directives[:] = [first, second]
    for each in directives:
        upgrade = cast("ops.UpgradeOps", each.upgrade_ops)
        upgrade.reverse_into(cast("ops.DowngradeOps", each.downgrade_ops))


def _adds_values(step: object) -> bool:
    return isinstance(step, Step) and any(isinstance(each, AddEnumValueOp) for each in step.ops)


def _of_values(steps: Iterable[Step]) -> str:
    added: dict[str, list[str]] = {}
    for step in steps:
        for operation in step.ops:
            if isinstance(operation, AddEnumValueOp):
                added.setdefault(operation.type_name, []).append(operation.value)
    return "Add " + " and ".join(f"{', '.join(values)} to {name}" for name, values in added.items())
