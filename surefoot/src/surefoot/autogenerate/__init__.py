"""Autogenerate compares and writes for `alembic revision --autogenerate` and `alembic check`.

    database ----------------------> Catalog --+
    models -> a schema of their own -> Catalog --+-> ObjectDiff -> Changes -> revisions
    Alembic's own comparators ------> tables ----+

Alembic finds tables and columns. Objects that it does not see, or compares wrongly, are compared as
PostgreSQL writes them: indexes with their expressions, predicates and operator classes, checks,
keys, exclusion constraints, computed columns, collations, defaults, enums, sequences, domains,
functions, triggers, views, rules, policies. A difference that no operation can remove becomes a
note in the file.

`alembic/env.py` hands `configure_options()` to `context.configure`.
"""

from surefoot.autogenerate.plugin import configure_options

# Revisions call these operations.
from surefoot.operations import enums as enums

__all__ = ["configure_options"]
