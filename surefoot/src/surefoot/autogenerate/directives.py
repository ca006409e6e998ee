"""The project's own process_revision_directives: they see one revision of Alembic's operations.

    changes -> Alembic's operations -> the project's hooks -> changes again

A change that a hook leaves as it is stays planned by Surefoot. One that it edits is written as the
hook left it, in one step, and one that it removes is not written.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import sqlalchemy
from alembic.autogenerate import render_python_code
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, Operations, ops
from sqlalchemy.dialects import postgresql

from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.rendering import Call

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
    if cast("ops.UpgradeOps", script.upgrade_ops).info.get("comparison") is None:
        for hook in hooks:
            hook(context, revision, directives)
        return
    upgrade = cast("ops.UpgradeOps", script.upgrade_ops)
    downgrade = cast("ops.DowngradeOps", script.downgrade_ops)
    changes = [each for each in upgrade.ops if isinstance(each, Change)]
    known: dict[str, Any] = {"sa": sqlalchemy, "postgresql": postgresql}
    for each in upgrade.info["comparison"].imports:
        exec(each, known)  # noqa: S102 - as the revision will have it
    there, back = _Shown(known), _Shown(known)
    upgrade.ops[:] = there.show([each.ops for each in changes])
    downgrade.ops[:] = back.show([each.undo for each in reversed(changes)])
    for hook in hooks:
        hook(context, revision, directives)
    if directives and directives[0] is script:
        made = there.made(upgrade.ops, changes)
        undone = back.made(downgrade.ops, list(reversed(changes)))
        upgrade.ops[:] = list(_joined(changes, made, undone))


@dataclass
class _Made:
    """The operations of one change after the hooks."""

    ops: list[MigrateOperation] = field(default_factory=list)
    # Whether a hook has altered one.
    edited: bool = False
    # Operations of the hooks that follow it.
    more: list[MigrateOperation] = field(default_factory=list)


class _Shown:
    """One direction of a revision as Alembic's operations."""

    def __init__(self, known: dict[str, Any]) -> None:
        # The names that a revision has.
        self._known = known
        # The place of an operation, the one that stands behind it, and its code.
        self._of: dict[int, tuple[int, MigrateOperation, MigrateOperation, str]] = {}

    def show(self, of: Sequence[Sequence[MigrateOperation]]) -> list[MigrateOperation]:
        shown: list[MigrateOperation] = []
        for number, each in enumerate(of):
            for operation in each:
                made = _alembics(operation, self._known)
                self._of[id(made)] = number, operation, made, _code(made)
                table = getattr(made, "table_name", None)
                if table is None or isinstance(made, _WHOLE):
                    shown.append(made)
                else:
                    shown.append(ops.ModifyTableOps(table, [made]))
        return shown

    def made(self, found: Iterable[Any], changes: Sequence[Change]) -> list[_Made]:
        """The operations of each change, and first those that come before all of them."""
        made = [_Made() for _ in range(len(changes) + 1)]
        last = 0
        for each in _flat(found):
            number, before, shown, code = self._of.get(id(each), (None, each, each, ""))
            if number is None:
                made[last].more.append(each)
                continue
            last = number + 1
            is_same = _code(shown) == code
            made[last].ops.append(before if is_same else each)
            made[last].edited |= not is_same
        return made


def _code(operation: MigrateOperation) -> str:
    try:
        return render_python_code(ops.UpgradeOps([operation]), migration_context=_offline())
    except ValueError:  # an operation of a library that has no renderer
        return ""


@cache
def _offline() -> MigrationContext:
    """A context that runs and writes nothing."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return MigrationContext.configure(dialect=dialect)


def _joined(
    changes: Sequence[Change], made: Sequence[_Made], undone: Sequence[_Made]
) -> Iterator[Change]:
    """The changes after the hooks, in the order of the upgrade; the downgrade is in reverse."""
    count, stage = len(changes), Stage.STATE
    for number in range(count + 1):
        back = undone[count - number]
        if made[number].more or back.more:
            yield Change(stage, made[number].more, back.more).at(Turn.MAIN)
        if number == count:
            return
        change, there = changes[number], made[number + 1]
        stage = change.stage
        is_whole = len(there.ops) == len(change.ops) and len(back.ops) == len(change.undo)
        if is_whole and not there.edited and not back.edited:
            yield change
        elif there.ops or (back.ops and not change.ops):
            yield Change(stage, there.ops, back.ops, change.action, change.key).at(Turn.MAIN)


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


def _alembics(operation: MigrateOperation, known: dict[str, Any]) -> MigrateOperation:
    """The operation of Alembic that a call makes; any other as it is."""
    if not isinstance(operation, Call) or not hasattr(Operations, operation.name):
        return operation
    op = _Recorder(_offline())
    eval(operation.spelled(), {**known, "op": op})  # noqa: S307 - code of our own, with literals
    if isinstance(op.made, ops.CreateTableOp):
        op.made.columns = list(op.made.columns)  # as those that Alembic makes
    is_alembics = type(op.made).__module__.startswith("alembic.")
    return op.made if is_alembics else operation
