"""Names that autogenerate makes, as short as PostgreSQL needs them."""

from surefoot.quoting import cut, own_name


def temporary_name(name: str) -> str:
    """The name of a new column, index or type until it is swapped in."""
    return f"{name}_new"


def has_temporary_name(name: str) -> bool:
    """Whether the temporary name is as short as PostgreSQL needs it."""
    there = temporary_name(own_name(name))
    return cut(there) == there
