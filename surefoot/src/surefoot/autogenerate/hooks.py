"""Hooks that Alembic calls while it compares and while it writes.

begin   reads both catalogs
end     makes changes of the differences, and plans revisions of them
last    numbers and completes the revisions
"""

import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from alembic.operations import MigrateOperation, ops
from alembic.util import PriorityDispatchResult

from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.declared import carry_out
from surefoot.autogenerate.declared import changes as declared_changes
from surefoot.autogenerate.directives import edit
from surefoot.autogenerate.objects import with_diff
from surefoot.autogenerate.planner import changes_between
from surefoot.autogenerate.plugin import EXCLUDE, MANAGES, PROJECT, STYLE, texts_of
from surefoot.autogenerate.questions import (
    Candidate,
    answered,
    ask,
    candidates,
    candidates_of,
    moves,
)
from surefoot.autogenerate.reading import compare, models_of
from surefoot.autogenerate.renames import (
    Rename,
    in_the_way,
    named_otherwise,
    ordered,
    renamed,
    uninherited,
)
from surefoot.autogenerate.rendering import ByHand
from surefoot.autogenerate.style import Form, Style, given
from surefoot.autogenerate.writing import ids, written
from surefoot.catalog.claims import left_alone
from surefoot.chain.numbering import next_number
from surefoot.errors import MessageMissing, UsageError
from surefoot.terminal.kind import asks

_HOOKS = "process_revision_directives"
# The options of `alembic -x …` for autogenerate.
_EXTRA = ("rename", "style", "ask")
# SQLAlchemy's reflection warns of what the catalogs compare: checks NOT VALID, unknown types.
_NOT_OURS = ("Can't validate argument 'dialect_options'", "Did not recognize type")


def begin(context: AutogenContext, operations: ops.UpgradeOps) -> PriorityDispatchResult:
    """Read the database and the models before Alembic compares."""
    for complaint in _NOT_OURS:
        warnings.filterwarnings("ignore", complaint)
    checks = is_check(context.opts)
    filters = context.opts.get(EXCLUDE, ()), context.opts.get(MANAGES, ())
    asked = () if checks else given(context.migration_context, "rename")
    connection, run = context.connection, operations.info
    assert connection is not None
    schema = connection.dialect.default_schema_name
    tables = (each for models in models_of(context) for each in models.tables.values())
    if named := [each.name for each in tables if each.schema == schema]:
        raise UsageError(
            f"the models name the default schema {schema} for {', '.join(named)}",
            help="leave the schema out: the tables are compared in another one",
        )
    can_ask = not checks and asks()
    # `end` rolls it back.
    run["savepoint"] = connection.begin_nested() if asked or can_ask else None
    run["renames"], run["denied"] = carry_out(connection, asked), set[Candidate]()
    while True:
        # Without both catalogs a declared rename would not be written.
        comparison = compare(context, *filters, strict=checks or bool(run["renames"]))
        run["comparison"] = comparison
        found = answered(comparison, run["denied"]) if comparison and can_ask else None
        if found is None:
            break
        run["renames"] += carry_out(connection, [found.declared])
    return PriorityDispatchResult.CONTINUE


def end(context: AutogenContext, operations: ops.UpgradeOps) -> PriorityDispatchResult:
    """Replace Alembic's operations by changes, after everything was compared."""
    run = operations.info
    comparison: Comparison | None = run["comparison"]
    forms: Mapping[str, Form] = {}
    if comparison is not None:
        renames: list[Rename] = run["renames"]
        other_names = {each.key.name for each in renames if each.key.kind == "table"}
        declared = other_names | {each.key.name.partition(".")[0] for each in renames}
        checks = is_check(context.opts)
        # A check writes nothing that a name could be in the way of.
        more = [*named_otherwise(comparison), *(() if checks else in_the_way(comparison))]
        comparison = replace(comparison, database=renamed(comparison.database, more))
        if comparison.left:
            sys.stderr.write(
                f"LEFT ALONE  {left_alone(comparison.left)}: no model claims them; "
                "Environment(manages=…) names kinds that the models decide\n"
            )
        if checks:
            # A difference is one operation, however many steps would remove it.
            comparison = comparison.plainly()
        elif STYLE in context.opts:
            style = Style(*context.opts[STYLE])
            comparison, forms = style.applied(context.migration_context, comparison, other_names)
        comparison = with_diff(comparison)
        # Those of other libraries stay.
        found = (each for each in operations.ops if not _is_covered(each))
        others = [Change(Stage.TABLES, [each], _undo(each)) for each in found]
        others += changes_between(comparison)
        # A view has no place where another table gets the old name.
        free = all(each.kind == "table" and each.old not in other_names for each in renames)
        covered = comparison if free and not (others or comparison.at_once) else None
        called = [*declared_changes(renames, declared, covered)]
        for one in ordered(uninherited(more, comparison.database)):
            called += one.changes(declared, covered)
        changes = sorted([*called, *others], key=lambda change: change.stage)
        asked = (each for each in candidates(comparison) if each not in run["denied"])
        run.update(comparison=comparison, forms=forms, doubtful=[*asked, *moves(comparison)])
        operations.ops[:] = changes
    if run["savepoint"] is not None:
        run["savepoint"].rollback()
    return PriorityDispatchResult.CONTINUE


def compare_tables(
    context: AutogenContext, operations: ops.UpgradeOps, schemas: set[str | None]
) -> PriorityDispatchResult:
    """Let Alembic's own comparison be where the catalogs are compared."""
    is_compared = operations.info["comparison"] is not None
    return PriorityDispatchResult.STOP if is_compared else PriorityDispatchResult.CONTINUE


def _is_covered(operation: MigrateOperation) -> bool:
    """Whether the catalogs have compared it: in a schema, or by a library for enums."""
    module = type(operation).__module__.partition(".")[0]
    return (module == "alembic" and hasattr(operation, "schema")) or (
        module == "alembic_postgresql_enum"
    )


def _undo(operation: MigrateOperation) -> list[MigrateOperation]:
    try:
        return [operation.reverse()]
    except NotImplementedError:  # some of other libraries have no way back
        return []


def process_revision_directives(
    context: MigrationContext, revision: object, directives: list[ops.MigrationScript]
) -> None:
    """Alembic's hook: ask the project's hooks, then divide, number and complete the revisions.

    On failure: MessageMissing where the revision has no name; UsageError for -x rename=… without
    --autogenerate.
    """
    checks, hooks = is_check(context.opts), context.opts.get(PROJECT, {}).get(_HOOKS, ())
    script, operations = directives[0], cast("ops.UpgradeOps", directives[0].upgrade_ops)
    given_id, was_empty = script.rev_id, operations.is_empty()
    if hooks:
        # `alembic check` looks at the list that it made.
        seen = [script] if checks else directives
        edit(hooks, context, revision, seen)
        if not seen:
            operations.ops.clear()
            sys.stderr.write(f"OK  {_HOOKS} removed the revision; no revision written\n")
            return
    if checks:
        return
    _leave_out(operations)
    if directives != [script]:  # the hooks made revisions of their own
        _leave_open(directives, context)
        return
    asked: dict[str, Any] = context.opts["revision_context"].command_args
    for name in _EXTRA if not asked["autogenerate"] else ():
        if given(context, name):
            raise UsageError(
                f"-x {name}=… is for --autogenerate, which was not given",
                help="add --autogenerate, or write the operations in the file yourself",
            )
    if asked["autogenerate"] and operations.is_empty():
        directives[:] = []
        why = "models and database are equal" if was_empty else "no operation is left"
        sys.stderr.write(f"OK  {why}; no revision written\n")
        return
    if not (script.message or "").strip():
        raise MessageMissing
    if asked["rev_id"] is None and script.rev_id == given_id:
        # Where the chain has no numbers, Alembic's own id stays.
        script.rev_id = next_number(ids(context)) or script.rev_id
    if operations.info.get("comparison") is None:
        # The catalogs were not compared: the revision is written as Alembic found it.
        _leave_open([script], context)
        ask(each.question() for each in candidates_of(operations, context))
        return
    directives[:] = written(script, operations, context)


def _leave_open(made: Iterable[ops.MigrationScript], context: MigrationContext) -> None:
    """Nobody has judged the phase of these; without operations they break nothing."""
    for each in made:
        if not all(one.is_empty() for one in each.upgrade_ops_list):
            texts_of(context).unplanned.add(str(each.rev_id))


def _leave_out(operations: ops.UpgradeOps) -> None:
    """Tell the changes that a person makes, and leave them out of the revisions."""
    for change in [*operations.ops]:
        for each in getattr(change, "ops", ()):
            if isinstance(each, ByHand):
                sys.stderr.write(f"?   {each.told()}\n")
                operations.ops.remove(change)


def is_check(options: Mapping[str, Any]) -> bool:
    """Whether the command is `alembic check`, which writes nothing."""
    # Nothing else distinguishes the commands: both compare and pass a callback.
    return getattr(options.get("fn"), "__qualname__", "").startswith("check.")
