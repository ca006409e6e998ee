"""The project's own process_revision_directives: they see one revision of Alembic's operations.

    changes -> Alembic's operations -> the project's hooks -> changes again

A change that a hook leaves as it is stays planned by Surefoot. One that it edits is written as the
hook left it, in one step, and one that it removes is not written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, Operations, ops

from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.rendering import Call, offline

Hook = Callable[[MigrationContext, Any, list[ops.MigrationScript]], None]
_Operations = list[list[MigrateOperation]]
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

    def edited(self, found: Iterable[Any], count: int) -> tuple[_Operations, _Operations]:
        """The operations of each change, and those of the hooks behind it; first, before all."""
        own: _Operations = [[] for _ in range(count + 1)]
        more: _Operations = [[] for _ in range(count + 1)]
        number = 0
        for each in _flat(found):
            if id(each) in self._of:
                number, before, _, code = self._of[id(each)]
                own[number].append(before if _code(each) == code else each)
            else:
                more[number].append(each)
        return own, more


def _code(operation: MigrateOperation) -> str:
    try:
        return render_python_code(ops.UpgradeOps([operation]), migration_context=offline())
    except ValueError:  # an operation of a library that has no renderer
        return ""


def _joined(
    changes: Sequence[Change],
    there: tuple[_Operations, _Operations],
    back: tuple[_Operations, _Operations],
) -> Iterator[Change]:
    """The changes after the hooks, in the order of the upgrade; the downgrade is in reverse."""
    (made, more), (undone, further) = there, back
    stage = Stage.STATE
    for number, change in enumerate([None, *changes]):
        if change is not None:
            stage, do, undo = change.stage, made[number], undone[-number]
            if do == change.ops and undo == change.undo:
                yield change
            elif do or (undo and not change.ops):
                yield Change(stage, do, undo, change.action, change.key).at(Turn.MAIN)
        # Behind the last change of the downgrade is before the first one of the upgrade.
        if more[number] or further[-number - 1]:
            yield Change(stage, more[number], further[-number - 1]).at(Turn.MAIN)


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
