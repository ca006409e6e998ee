"""The statements that change an object in place from one state to another."""

import re

from surefoot.catalog.definitions import check_name, identity_parts
from surefoot.catalog.kinds import Column, Domain, Names, Sequence, Table
from surefoot.quoting import literal, quoted

_LOOSE = " NOT VALID"
_BOUNDS = re.compile(r"(?:START WITH|MINVALUE|MAXVALUE) (-?\d+)")
_SEQUENCE_OPTION = re.compile(r"(START WITH|INCREMENT BY|MINVALUE|MAXVALUE|CACHE|CYCLE)")


def table(before: Table, after: Table) -> list[str]:
    """From one state to another. Changing the persistence rewrites the table."""
    clauses = []
    if before.persistence != after.persistence:
        clauses.append("SET UNLOGGED" if after.persistence == "unlogged" else "SET LOGGED")
    clauses += options(before.options, after.options)
    clauses += options(before.toast_options, after.toast_options, "toast.")
    if before.row_security != after.row_security:
        clauses.append(
            f"{'DISABLE' if after.row_security is None else 'ENABLE'} ROW LEVEL SECURITY"
        )
        forced = after.row_security == "forced"
        if forced or before.row_security == "forced":
            clauses.append(f"{'FORCE' if forced else 'NO FORCE'} ROW LEVEL SECURITY")
    old, new = before.inherits or (), after.inherits or ()
    clauses += [f"NO INHERIT {parent}" for parent in old if parent not in new]
    clauses += [f"INHERIT {parent}" for parent in new if parent not in old]
    if before.replica_identity != after.replica_identity:
        clauses.append(f"REPLICA IDENTITY {after.replica_identity or 'DEFAULT'}")
    if before.cluster_index != after.cluster_index:
        index = after.cluster_index
        clauses.append(f"CLUSTER ON {index}" if index else "SET WITHOUT CLUSTER")
    return [f"ALTER TABLE {quoted(after.name)} {clause}" for clause in clauses]


def options(before: Names | None, after: Names | None, prefix: str = "") -> list[str]:
    """The clauses that reset storage parameters and set others."""
    old, new = before or (), after or ()
    clauses = []
    if gone := [option.split("=")[0] for option in old if option not in new]:
        clauses.append(f"RESET ({', '.join(prefix + name for name in gone)})")
    if added := [option for option in new if option not in old]:
        clauses.append(f"SET ({', '.join(prefix + option for option in added)})")
    return clauses


def identity(before: Column, after: Column) -> str:
    """Add, change or drop the identity of a column."""
    column = f"ALTER TABLE {quoted(after.table)} ALTER COLUMN {quoted(after.name)}"
    if after.identity is None:
        return f"{column} DROP IDENTITY"
    kind, given = identity_parts(after.identity)
    if before.identity is not None:
        settings = _SEQUENCE_OPTION.sub(r"SET \1", given)
        cycle = "" if "CYCLE" in given else " SET NO CYCLE"
        return f"{column} SET GENERATED {kind} {settings}{cycle}"
    return f"{column} ADD GENERATED {kind} AS IDENTITY ({given})"


def column(before: Column, after: Column) -> list[str]:
    """Storage, compression, statistics and options of a column."""
    clauses = []
    # The attribute also names the storage of the type: PostgreSQL 15 has no SET STORAGE DEFAULT.
    old, new = before.storage, after.storage
    if old != new:
        clauses.append(f"SET STORAGE {new.split()[0] if new else str(old).split()[-1]}")
    if before.compression != after.compression:
        clauses.append(f"SET COMPRESSION {after.compression or 'default'}")
    if before.statistics != after.statistics:
        clauses.append(f"SET STATISTICS {after.statistics or '-1'}")
    clauses += options(before.attribute_options, after.attribute_options)
    alter = f"ALTER TABLE {quoted(after.table)} ALTER COLUMN {quoted(after.name)}"
    return [f"{alter} {clause}" for clause in clauses]


def sequence(before: Sequence, after: Sequence) -> list[str]:
    """Type and options of a sequence.

    One that has given no number may stand outside its new bounds: it is set to its new start.
    """
    name, cycle = quoted(after.name), "" if after.definition.endswith(" CYCLE") else " NO CYCLE"
    alter = f"ALTER SEQUENCE {name} {after.definition}{cycle}"
    (first, *old), (start, *new) = (
        [int(each) for each in _BOUNDS.findall(side.definition)] for side in (before, after)
    )
    if new[0] <= first <= new[1]:
        return [alter]
    lowest, highest = min(*old, *new), max(*old, *new)
    return [
        f"ALTER SEQUENCE {name} AS bigint MINVALUE {lowest} MAXVALUE {highest}",
        f"SELECT setval({literal(name)}, {start}, false) FROM {name} WHERE NOT is_called",  # noqa: S608 - names of a catalog, quoted
        alter,
    ]


def own(after: Sequence) -> str:
    """The column that owns a sequence."""
    table, _, column = (after.owned_by or "").rpartition(".")
    by = f"{quoted(table)}.{quoted(column)}" if after.owned_by else "NONE"
    return f"ALTER SEQUENCE {quoted(after.name)} OWNED BY {by}"


def domain(before: Domain, after: Domain) -> list[str]:
    """Another default, the constraints that go, and those that come."""
    clauses: list[str] = []
    if before.default != after.default:
        clauses.append("DROP DEFAULT" if after.default is None else f"SET DEFAULT {after.default}")
    if before.not_null and not after.not_null:
        clauses.append("DROP NOT NULL")
    clauses += [
        f"DROP CONSTRAINT {check_name(gone)}"
        for gone in added_checks(after, before)
        if gone.removesuffix(_LOOSE) not in (after.checks or ())
    ]
    if after.not_null and not before.not_null:
        clauses.append("SET NOT NULL")
    for check in added_checks(before, after):
        known = f"{check}{_LOOSE}" in (before.checks or ())
        clauses.append(
            f"VALIDATE CONSTRAINT {check_name(check)}" if known else f"ADD CONSTRAINT {check}"
        )
    return [f"ALTER DOMAIN {quoted(after.name)} {clause}" for clause in clauses]


def added_checks(before: Domain, after: Domain) -> list[str]:
    """The checks of a domain that only the second state has."""
    return [check for check in after.checks or () if check not in (before.checks or ())]
