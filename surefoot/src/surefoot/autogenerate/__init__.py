"""Autogenerate compares and writes for `alembic revision --autogenerate` and `alembic check`.

    database ------------------------> Catalog --+
    models -> a schema of their own -> Catalog --+-> changes -> plan -> revisions, or SQL

All objects are compared as PostgreSQL writes them. Alembic's own comparators compare where the role
may not create the schema of the models. A difference that no operation can remove becomes a note in
the file.

`alembic/env.py` hands `configure_options()` to `context.configure`.
"""

from surefoot.autogenerate.plugin import ALEMBICS, PROJECT, STYLE, configure_options

# Revisions call these operations.
from surefoot.operations import enums as enums

__all__ = ["ALEMBICS", "PROJECT", "STYLE", "configure_options"]
