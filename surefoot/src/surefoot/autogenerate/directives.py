"""The project's own process_revision_directives: they see one revision of Alembic's operations.

    changes -> Alembic's operations -> the project's hooks -> changes again

A change that a hook leaves as it is stays planned by Surefoot. One that it edits is written as the
hook left it, in one step, and one that it removes is not written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, Operations, ops

from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.rendering import Call, offline

Hook = Callable[[MigrationContext, Any, list[ops.MigrationScript]], None]
_WHOLE = (ops.CreateTableOp, ops.DropTableOp, ops.RenameTableOp)


def edit(
    hooks: Iterable[Hook],
    context: MigrationContext,
    revision: object,
    directives: list[ops.MigrationScript],
) -> None:
    """Let the hooks edit the revision; in one that was compared they see Alembic's operations."""
    script = directives[0]
    upgrade = cast("ops.UpgradeOps", script.upgrade_ops)
    downgrade = cast("ops.DowngradeOps", script.downgrade_ops)
    comparison = upgrade.info.get("comparison")
    changes = [each for each in upgrade.ops if isinstance(each, Change)]
    if comparison is not None:
        there, back = _Shown(comparison.imports), _Shown(comparison.imports)
        upgrade.ops[:] = there.show([each.ops for each in changes])
        downgrade.ops[:] = back.show([each.undo for each in reversed(changes)])
    for hook in hooks:
        hook(context, revision, directives)
    if comparison is not None and directives and directives[0] is script:
        made = there.edited(upgrade.ops, len(changes))
        undone = back.edited(downgrade.ops, len(changes))
        upgrade.ops[:] = list(_joined(changes, made, undone))


@dataclass
class _Edited:
    """The operations of one change after the hooks, and operations of the hooks behind them."""

    ops: list[MigrateOperation] = field(default_factory=list)
    more: list[MigrateOperation] = field(default_factory=list)


class _Shown:
    """One direction of a revision as Alembic's operations."""

    def __init__(self, imports: Iterable[str]) -> None:
        # The names that a revision has.
        self._names: dict[str, Any] = {}
        for each in imports:
            exec(each, self._names)  # noqa: S102 - as the revision will have it
        # The place of an operation, the one that stands behind it, itself, and its code.
        self._of: dict[int, tuple[int, MigrateOperation, MigrateOperation, str]] = {}

    def show(self, of: Sequence[Sequence[MigrateOperation]]) -> list[MigrateOperation]:
        shown: list[MigrateOperation] = []
        for number, each in enumerate(of, 1):
            for operation in each:
                made = _alembics(operation, self._names)
                self._of[id(made)] = number, operation, made, _code(made)
                table = getattr(made, "table_name", None)
                if table is None or isinstance(made, _WHOLE):
                    shown.append(made)
                else:
                    shown.append(ops.ModifyTableOps(table, [made]))
        return shown

    def edited(self, found: Iterable[Any], count: int) -> list[_Edited]:
        """The operations of each change, and first those that come before all of them."""
        edited = [_Edited() for _ in range(count + 1)]
        number = 0
        for each in _flat(found):
            if id(each) not in self._of:
                edited[number].more.append(each)
                continue
            number, before, _, code = self._of[id(each)]
            edited[number].ops.append(before if _code(each) == code else each)
        return edited


def _code(operation: MigrateOperation) -> str:
    try:
        return render_python_code(ops.UpgradeOps([operation]), migration_context=offline())
    except ValueError:  # an operation of a library that has no renderer
        return ""


def _joined(
    changes: Sequence[Change], made: Sequence[_Edited], undone: Sequence[_Edited]
) -> Iterator[Change]:
    """The changes after the hooks, in the order of the upgrade; the downgrade is in reverse."""
    stage = Stage.STATE
    # Before the first change of the upgrade comes what is behind the last one of the downgrade.
    behind = [each.more for each in reversed(undone)]
    undone = [_Edited(), *undone[:0:-1]]
    for change, there, back, more in zip([None, *changes], made, undone, behind, strict=True):
        if change is not None:
            stage = change.stage
            if there.ops == change.ops and back.ops == change.undo:
                yield change
            elif there.ops or (back.ops and not change.ops):
                yield Change(stage, there.ops, back.ops, change.action, change.key).at(Turn.MAIN)
        if there.more or more:
            yield Change(stage, there.more, more).at(Turn.MAIN)


def _flat(found: Iterable[Any]) -> Iterator[MigrateOperation]:
    for each in found:
        if isinstance(each, ops.OpContainer):
            yield from _flat(each.ops)
        else:
            yield each


class _Recorder(Operations):
    """Keeps the operation that a call makes, and runs nothing."""

    made: MigrateOperation

    def invoke(self, operation: MigrateOperation) -> Any:
        self.made = operation


def _alembics(operation: MigrateOperation, names: Mapping[str, Any]) -> MigrateOperation:
    """The operation of Alembic that a call makes; any other as it is."""
    if not isinstance(operation, Call) or not hasattr(Operations, operation.name):
        return operation
    op = _Recorder(offline())
    operation.evaluate(op, names)
    if isinstance(op.made, ops.CreateTableOp):
        op.made.columns = list(op.made.columns)  # as those that Alembic makes
    is_alembics = type(op.made).__module__.startswith("alembic.")
    return op.made if is_alembics else operation
