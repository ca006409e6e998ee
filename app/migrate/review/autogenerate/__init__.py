"""Autogenerate: what `alembic revision --autogenerate` and `alembic check` compare and write.

    database ----------------------> Catalog --+
    models -> a schema of their own -> Catalog --+-> changes -> Steps -> upgrade and downgrade
    Alembic's own comparators ------> tables ----+

Alembic finds tables and columns. What it does not see or sees wrongly is compared as PostgreSQL
writes it: indexes with their expressions, predicates and operator classes, checks, keys, exclusion
constraints, computed columns, collations, defaults, enums, sequences, domains, functions, triggers,
views, rules, policies. What cannot be written is named in the file instead.

`alembic/env.py` hands `configure_options()` to `context.configure`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.migrate.review.autogenerate.directives import process_revision_directives
from app.migrate.review.autogenerate.page import Pages
from app.migrate.review.autogenerate.plugin import EXCLUDE, NAME, register, render_item

__all__ = ["configure_options", "process_revision_directives"]


def configure_options(exclude: Iterable[str] = ()) -> dict[str, Any]:
    """What `context.configure` is given, for every command.

    `exclude` names tables that are no model's and no revision's; Alembic's own is known.
    """
    register()
    excluded = frozenset(exclude)

    def include_name(name: str | None, kind: str, parents: object) -> bool:
        return kind != "table" or name not in excluded

    def include_object(item: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name not in excluded

    return {
        # Checks by name are found by ours, with their conditions.
        "autogenerate_plugins": ["alembic.autogenerate.*", NAME],
        "compare_type": True,
        "compare_server_default": True,
        "include_name": include_name,
        "include_object": include_object,
        "render_item": render_item,
        "process_revision_directives": process_revision_directives,
        "template_args": {"page": Pages()},
        EXCLUDE: excluded,
    }
