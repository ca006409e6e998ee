"""What Alembic calls while it compares, and while it writes.

begin   both catalogs are read
then    Alembic's own comparators; whether a column differs is answered from the catalogs
end     what Alembic found becomes steps, and what it does not see is added
"""

from __future__ import annotations

import warnings
from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import PriorityDispatchResult
from sqlalchemy import types
from sqlalchemy.dialects import postgresql

from app.migrate.review.autogenerate.changes import changes_of
from app.migrate.review.autogenerate.columns import (
    compare_default,
    compare_nullable,
    compare_type,
)
from app.migrate.review.autogenerate.comparison import compare, comparison_of
from app.migrate.review.autogenerate.directives import is_check, process_revision_directives
from app.migrate.review.autogenerate.enums import enum_steps
from app.migrate.review.autogenerate.objects import object_steps
from app.migrate.review.autogenerate.page import Pages
from app.migrate.review.autogenerate.plugin import EXCLUDE
from app.migrate.review.autogenerate.steps import Step
from app.migrate.review.autogenerate.tables import table_steps

__all__ = [
    "Pages",
    "begin",
    "compare_default",
    "compare_nullable",
    "compare_type",
    "end",
    "process_revision_directives",
    "render_item",
]
# What SQLAlchemy's reflection says of a check that is NOT VALID and of types that it does not know.
# The catalogs compare both, and write them.
_NOT_OURS = ("Can't validate argument 'dialect_options'", "Did not recognize type")


def begin(context: AutogenContext, operations: ops.UpgradeOps) -> PriorityDispatchResult:
    """Read the database and the models, before anything is compared."""
    for complaint in _NOT_OURS:
        warnings.filterwarnings("ignore", complaint)
    compare(context, context.opts.get(EXCLUDE, ()), strict=is_check(context.opts))
    return PriorityDispatchResult.CONTINUE


def end(context: AutogenContext, operations: ops.UpgradeOps) -> PriorityDispatchResult:
    """Put steps in the place of what Alembic found, after everything was compared."""
    comparison = comparison_of(context)
    if comparison is None:
        return PriorityDispatchResult.CONTINUE
    changes = changes_of(comparison)
    steps: list[Step] = [
        *table_steps(comparison, changes, operations.ops),
        *object_steps(comparison, changes),
        *enum_steps(comparison, changes),
    ]
    steps.sort(key=lambda step: step.stage)
    operations.ops[:] = steps
    operations.info["comparison"] = comparison
    return PriorityDispatchResult.CONTINUE


def render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """An enum and a domain by name alone: a revision makes and drops them as themselves."""
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
