"""Autogenerate: what `alembic revision --autogenerate` and `alembic check` compare and write.

    database ----------------------> Catalog --+
    models -> a schema of their own -> Catalog --+-> changes -> Changes -> upgrade and downgrade
    Alembic's own comparators ------> tables ----+

Alembic finds tables and columns. What it does not see or sees wrongly is compared as PostgreSQL
writes it: indexes with their expressions, predicates and operator classes, checks, keys, exclusion
constraints, computed columns, collations, defaults, enums, sequences, domains, functions, triggers,
views, rules, policies. What cannot be written is named in the file instead.

`alembic/env.py` hands `configure_options()` to `context.configure`.
"""

from surefoot.autogenerate.plugin import configure_options

# Revisions call these operations, so whoever runs one has them.
from surefoot.operations import enums as enums

__all__ = ["configure_options"]
