"""A Catalog holds the definitions of all objects of one schema, as PostgreSQL writes them.

    connection -> snapshot -> Catalog --+-> difference(expected, found) -> Differences
                                        '-> fingerprint()

It is read from pg_catalog in two queries (a third on demand) and rendered without the schema's
name, so that two schemas, two databases and two servers (PostgreSQL 15 to 18) compare equal when
they are.

Included: tables, columns, constraints, indexes, sequences, enums, domains, composite types with
their attributes, range types with their subtype, views, materialized views, functions, procedures,
aggregates by their functions and state, triggers, rules, policies, statistics, partitions (name,
parent, bound, options), collations, extensions, event triggers that call a function of the schema;
operators, operator classes, text search configurations and dictionaries by name; comments on all of
them. Of a table also its options, replica identity and row security, of a column its storage,
compression and statistics target, of a constraint whether it is validated and enforced.
On demand: owners and privileges of tables, columns, views, sequences, types and routines.
Not included: rows, tablespaces, access methods, versions of extensions, publications, foreign
servers and their options, casts, operator families, objects that a partition has and its parent
does not, the privileges of the schema itself, other schemas, and members of extensions.

Each name is imported at its first use: a trial of revisions needs none of them.
"""

from typing import TYPE_CHECKING

from surefoot.lazily import importing

if TYPE_CHECKING:
    from surefoot.catalog.kinds import SchemaObject as SchemaObject
    from surefoot.catalog.kinds import Value as Value
    from surefoot.catalog.model import NOTHING as NOTHING
    from surefoot.catalog.model import Catalog as Catalog
    from surefoot.catalog.model import Difference as Difference
    from surefoot.catalog.model import Key as Key
    from surefoot.catalog.model import difference as difference
    from surefoot.catalog.reading import casts as casts
    from surefoot.catalog.reading import fingerprint as fingerprint
    from surefoot.catalog.reading import snapshot as snapshot

_MODULES = {
    **dict.fromkeys(("NOTHING", "Catalog", "Difference", "Key", "difference"), "model"),
    **dict.fromkeys(("SchemaObject", "Value"), "kinds"),
    **dict.fromkeys(("casts", "fingerprint", "snapshot"), "reading"),
}
__all__ = list(_MODULES)
__getattr__ = importing(__name__, _MODULES)
