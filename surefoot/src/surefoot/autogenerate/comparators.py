"""Hooks that Alembic calls while it compares and while it writes.

begin   reads both catalogs
then    Alembic's own comparators run; whether a column differs is answered from the catalogs
end     turns Alembic's operations into changes, and adds those that Alembic does not see
"""

import warnings
from typing import Any
from weakref import WeakKeyDictionary

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import PriorityDispatchResult
from sqlalchemy import NestedTransaction, types
from sqlalchemy.dialects import postgresql

from surefoot.autogenerate.change import Change
from surefoot.autogenerate.columns import compare_default, compare_nullable, compare_type
from surefoot.autogenerate.comparison import compare, comparison_of
from surefoot.autogenerate.directives import is_check, process_revision_directives, renames_given
from surefoot.autogenerate.enums import enum_changes
from surefoot.autogenerate.object_diff import diff_objects
from surefoot.autogenerate.objects import object_changes
from surefoot.autogenerate.plugin import EXCLUDE
from surefoot.autogenerate.renames import Rename, carry_out, following, parse_renames
from surefoot.autogenerate.revision_text import RevisionTexts
from surefoot.autogenerate.tables import table_changes

__all__ = [
    "RevisionTexts",
    "begin",
    "compare_default",
    "compare_nullable",
    "compare_type",
    "end",
    "process_revision_directives",
    "render_item",
]
# SQLAlchemy's reflection warns of checks that are NOT VALID and of types that it does not know. The
# catalogs compare both.
_NOT_OURS = ("Can't validate argument 'dialect_options'", "Did not recognize type")
_renamed: WeakKeyDictionary[AutogenContext, tuple[NestedTransaction | None, list[Rename]]] = (
    WeakKeyDictionary()
)


def begin(context: AutogenContext, operations: ops.UpgradeOps) -> PriorityDispatchResult:
    """Read the database and the models before Alembic compares."""
    for complaint in _NOT_OURS:
        warnings.filterwarnings("ignore", complaint)
    checks, excluded = is_check(context.opts), context.opts.get(EXCLUDE, ())
    renames = [] if checks else parse_renames(renames_given(context.migration_context))
    if renames:
        _rename(context, renames)
    # Both catalogs are needed to find the objects that are renamed along.
    strict = checks or bool(renames)
    compare(context, excluded, strict=strict)
    comparison = comparison_of(context)
    if comparison is not None and renames:
        more = following(comparison.database, comparison.models, renames)
        if more:
            _rename(context, more)
            compare(context, excluded, strict=strict)
    return PriorityDispatchResult.CONTINUE


def end(context: AutogenContext, operations: ops.UpgradeOps) -> PriorityDispatchResult:
    """Replace Alembic's operations by changes, after everything was compared."""
    comparison = comparison_of(context)
    savepoint, renames = _renamed.pop(context, (None, []))
    if savepoint is not None:
        savepoint.rollback()
    if comparison is None:
        return PriorityDispatchResult.CONTINUE
    diff = diff_objects(comparison)
    changes: list[Change] = [
        *(rename.change() for rename in renames),
        *table_changes(comparison, diff, operations.ops),
        *object_changes(comparison, diff),
        *enum_changes(comparison, diff),
    ]
    changes.sort(key=lambda change: change.stage)
    operations.ops[:] = changes
    operations.info.update(comparison=comparison, diff=diff)
    return PriorityDispatchResult.CONTINUE


def _rename(context: AutogenContext, renames: list[Rename]) -> None:
    """Rename in the database, in a savepoint that `end` rolls back."""
    connection = context.connection
    assert connection is not None
    savepoint, known = _renamed.get(context, (None, []))
    _renamed[context] = (savepoint or connection.begin_nested(), [*known, *renames])
    carry_out(connection, renames, connection.dialect.default_schema_name or "public")


def render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Renders an enum or a domain by name: a revision creates and drops them separately."""
    if kind != "type" or not isinstance(item, types.TypeEngine) or item._variant_mapping:
        return False
    rendered = None
    if isinstance(item, types.Enum) and item.native_enum and item.name:
        rendered = f"postgresql.ENUM(name={str(item.name)!r}, create_type=False)"
    elif isinstance(item, postgresql.DOMAIN):
        base = type(item.data_type).__name__
        rendered = f"postgresql.DOMAIN({str(item.name)!r}, sa.{base}(), create_type=False)"
    elif type(item) is postgresql.JSONB and type(item.astext_type) is types.Text:
        rendered = "postgresql.JSONB()"
    if rendered is None:
        return False
    context.imports.add("from sqlalchemy.dialects import postgresql")
    return rendered
