"""The project's own process_revision_directives: they see one revision of Alembic's operations.

    changes -> Alembic's operations -> the project's hooks -> changes again

A change that a hook leaves as it is stays planned by Surefoot. One that it edits is written as the
hook left it, in one step, and one that it removes is not written. An operation in the place of
another one is an edit: its way back stays as the hooks left that.
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
# By these the operations know the change that they are of, and their code.
_UP, _DOWN = "surefoot_upgrade", "surefoot_downgrade"
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
        names: dict[str, Any] = {}
        for each in comparison.imports:
            exec(each, names)  # noqa: S102 - as the revision will have it
        upgrade.ops[:] = _shown(_UP, [each.ops for each in changes], names)
        downgrade.ops[:] = _shown(_DOWN, [each.undo for each in reversed(changes)], names)
    shown = [each for _, each in (*_flat(upgrade.ops), *_flat(downgrade.ops))]
    for hook in hooks:
        hook(context, revision, directives)
    if comparison is not None and directives and directives[0] is script:
        made = _edited(_UP, upgrade.ops, shown, len(changes))
        undone = _edited(_DOWN, downgrade.ops, shown, len(changes))
        upgrade.ops[:] = list(_joined(changes, made, undone))


def _shown(
    direction: str, of: Sequence[Sequence[MigrateOperation]], names: Mapping[str, Any]
) -> Iterator[MigrateOperation]:
    """The operations of the changes as Alembic's, with the names that a revision has."""
    for number, each in enumerate(of, 1):
        for operation in each:
            made = _alembics(operation, names)
            vars(made)[direction] = number, operation, _code(made)
            table = None if isinstance(made, _WHOLE) else getattr(made, "table_name", None)
            if table is None:
                yield made
            else:
                container = ops.ModifyTableOps(table, [made])
                vars(container)[direction] = number
                yield container


def _edited(
    direction: str, found: Iterable[Any], shown: Iterable[MigrateOperation], count: int
) -> tuple[_Operations, _Operations]:
    """The operations of each change, and those of the hooks behind it; first, before all."""
    own: _Operations = [[] for _ in range(count + 1)]
    more: _Operations = [[] for _ in range(count + 1)]
    left = [(getattr(container, direction, None), each) for container, each in _flat(found)]
    lost = [each for each in shown if direction in vars(each)]
    lost = [each for each in lost if not any(each is one for _, one in left)]
    number = 0
    for place, each in left:
        if known := vars(each).get(direction):
            number, before, code = known
            own[number].append(before if _code(each) == code else each)
        elif (replaced := _replaced(direction, place, each, lost)) is not None:
            own[replaced].append(each)
        else:
            more[number].append(each)
    return own, more


def _replaced(
    direction: str, place: int | None, operation: Any, lost: Iterable[MigrateOperation]
) -> int | None:
    """The number of the change whose operation this one replaces; None where it is one more."""
    for each in lost:
        number: int = vars(each)[direction][0]
        same = isinstance(operation, type(each)) and _target(operation) == _target(each)
        if number == place or same:
            return number
    return None


def _target(operation: Any) -> list[str | None]:
    """The names of what an operation of Alembic is on."""
    column = getattr(getattr(operation, "column", None), "name", None)
    names = ("schema", "table_name", "column_name", "index_name", "constraint_name")
    return [column, *(getattr(operation, name, None) for name in names)]


def _code(operation: MigrateOperation) -> str:
    try:
        return render_python_code(ops.UpgradeOps([operation]), migration_context=offline())
    except (ValueError, NotImplementedError):  # there is no renderer
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


def _flat(
    found: Iterable[Any], container: ops.OpContainer | None = None
) -> Iterator[tuple[ops.OpContainer | None, MigrateOperation]]:
    """The operations, each with the container that it is in."""
    for each in found:
        if isinstance(each, ops.OpContainer):
            yield from _flat(each.ops, each)
        else:
            yield container, each


class _Recorder(Operations):
    """Keeps the operation that a call makes, and runs nothing."""

    made: MigrateOperation

    def invoke(self, operation: MigrateOperation) -> Any:
        self.made = operation


def _alembics(operation: MigrateOperation, names: Mapping[str, Any]) -> MigrateOperation:
    """The operation of Alembic that a call makes, where Alembic can write it; any other as it is.

    Alembic before 1.19 writes no check.
    """
    if not isinstance(operation, Call) or not hasattr(Operations, operation.name):
        return operation
    op = _Recorder(offline())
    operation.evaluate(op, names)
    if isinstance(op.made, ops.CreateTableOp):
        op.made.columns = list(op.made.columns)  # as those that Alembic makes
    is_alembics = type(op.made).__module__.startswith("alembic.")
    return op.made if is_alembics and _code(op.made) else operation
