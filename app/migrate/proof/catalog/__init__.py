"""A Catalog is everything of one schema that matters, in PostgreSQL's own words.

    connection -> snapshot -> Catalog --+-> difference(expected, found) -> Differences
                                        '-> fingerprint()

It is read from pg_catalog in two queries and rendered without the schema's name, so that two
schemas, two databases and two servers (PostgreSQL 15 to 18) compare equal when they are.

Seen: tables, columns, constraints, indexes, sequences, enums, domains, composite and range types,
views, materialized views, functions, procedures, aggregates, triggers, rules, policies,
statistics, partitions (name, parent and bound), comments on all of them.
Not seen: rows, owners, privileges, tablespaces, column storage, operators, collations, text search,
foreign servers, event triggers, publications, other schemas, and what belongs to an extension.
"""

from app.migrate.proof.catalog.model import (
    NOTHING,
    Attributes,
    Catalog,
    Difference,
    Key,
    Value,
    difference,
)
from app.migrate.proof.catalog.reading import BOOKKEEPING, snapshot

__all__ = [
    "BOOKKEEPING",
    "NOTHING",
    "Attributes",
    "Catalog",
    "Difference",
    "Key",
    "Value",
    "difference",
    "snapshot",
]
