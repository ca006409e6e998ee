"""Names that autogenerate makes, as short as PostgreSQL needs them."""

from hashlib import sha256

from surefoot.quoting import LONGEST_NAME, cut, in_schema, own_name, schema_of


def temporary_name(name: str) -> str:
    """The name of a new column, index or type until it is swapped in."""
    return f"{name}_new"


def short_name(name: str) -> str:
    """The name, or one of its own that is as short as PostgreSQL needs it."""
    own = own_name(name)
    if cut(own) == own:
        return name
    begin = own.encode()[: LONGEST_NAME - 9].decode(errors="ignore")
    return in_schema(schema_of(name), f"{begin}_{sha256(own.encode()).hexdigest()[:8]}")


def has_temporary_name(name: str) -> bool:
    """Whether the temporary name is as short as PostgreSQL needs it."""
    there = temporary_name(own_name(name))
    return cut(there) == there
