"""Names that autogenerate makes, as short as PostgreSQL needs them."""

from hashlib import sha256

from surefoot.quoting import in_schema, own_name, schema_of

_LONGEST = 63


def temporary_name(name: str) -> str:
    """The name of a new column, index or type until it is swapped in."""
    return f"{name}_new"


def short_name(name: str) -> str:
    """The name, or one of its own that is as short as PostgreSQL needs it."""
    own = own_name(name)
    if len(own.encode()) <= _LONGEST:
        return name
    begin = own.encode()[: _LONGEST - 9].decode(errors="ignore")
    return in_schema(schema_of(name), f"{begin}_{sha256(own.encode()).hexdigest()[:8]}")


def has_temporary_name(name: str) -> bool:
    """Whether the temporary name is as short as PostgreSQL needs it."""
    return len(temporary_name(own_name(name)).encode()) <= _LONGEST
