"""The extension or the schema that the models need, by PostgreSQL's message that it is missing."""

import re

from sqlalchemy import Connection, text

# A type, an operator class, a function, another extension, and an access method without a default.
_MISSING = re.compile(
    r'(?:type|operator class|required extension) "([^"]+)"|function (\w+)\(|access method "(\w+)"$'
)
_NO_SCHEMA = re.compile(r'schema "(.+)" does not exist$')
# Names of objects whose extension is called otherwise.
_OF = {
    **dict.fromkeys(("gin_trgm_ops", "gist_trgm_ops", "similarity"), "pg_trgm"),
    **dict.fromkeys(("crypt", "digest", "gen_salt", "hmac"), "pgcrypto"),
    **dict.fromkeys(("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"), "uuid-ossp"),
    **dict.fromkeys(("lquery", "ltxtquery"), "ltree"),
    **dict.fromkeys(("geography", "geometry"), "postgis"),
    **dict.fromkeys(
        ("halfvec", "sparsevec", "vector_cosine_ops", "vector_ip_ops", "vector_l2_ops"), "vector"
    ),
    "gin": "btree_gin",
    "gist": "btree_gist",
}
_AVAILABLE = text(
    "SELECT name FROM pg_available_extensions WHERE name = :name AND installed_version IS NULL"
)


def missing_schema(message: str) -> str | None:
    """The schema that the message misses; None where it misses something else."""
    found = _NO_SCHEMA.search(message)
    return found and found[1]


def missing_extension(connection: Connection, message: str) -> str | None:
    """The extension that is available and has what the message misses; None where none is known."""
    found = _MISSING.search(message)
    if found is None:
        return None
    name = next(filter(None, found.groups()))
    available: str | None = connection.scalar(_AVAILABLE, {"name": _OF.get(name, name)})
    return available
