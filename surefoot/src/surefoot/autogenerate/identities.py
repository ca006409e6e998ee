"""Makes, changes and drops the identity of a column: the numbers that its rows get."""

import re
from collections.abc import Iterator
from dataclasses import replace

from alembic.operations import MigrateOperation

from surefoot.autogenerate.allowances import MISSING
from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.column_code import HIGHEST
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.rendering import ContinueSequence, sql
from surefoot.autogenerate.table_operations import alter_column, identity_after, own_sequence
from surefoot.catalog import Key, alterations, statements
from surefoot.catalog.kinds import Column, Sequence
from surefoot.quoting import literal, own_name, quoted, short_name

Operations = list[MigrateOperation]


def identity(comparison: Comparison, key: Key) -> Iterator[Change]:
    """The changes that make, change or drop the identity of a column.

    A default goes or comes in the same transaction: each row has a number. An identity in place of
    a sequence continues it, and the other way round, without a look at the rows.

    One that goes does so before a default is set, and before a sequence is created that may have
    its name. The numbers of a narrower type are set before it, so that the way back sets those of
    the wider one after it.
    """
    before, after = (each.one(Column, key) for each in (comparison.database, comparison.models))
    table, name = after.table, after.name
    known = comparison.exchanged_sequence(key)

    def to(after: Column, before: Column) -> Operations:
        default = alter_column(before, replace(before, default=after.default), comparison.models)
        default = default if comparison.is_renumbered(key) else []
        if known is not None:
            return _exchanged(known, before, after, default)
        altered = sql(alterations.identity(before, after))
        if before.identity is not None:
            return [altered, *default]
        # Existing rows keep their numbers: the sequence continues after the highest.
        again = f"ALTER TABLE {quoted(table)} ALTER COLUMN {quoted(name)} RESTART"
        own = own_sequence(after)
        return [*default, altered, ContinueSequence(own, again, quoted(table), quoted(name))]

    if followed(before, after) != after.identity:
        narrows = before.identity is not None and (
            HIGHEST.get(after.type, 0) < HIGHEST.get(before.type, 0)
        )
        stage = Stage.TYPES if narrows or after.identity is None else Stage.TABLES
        change = Change(stage, to(after, before), to(before, after), "identity", key)
        if known is not None:
            change.at(Turn.MAIN, about=numbers_missing(key))
        yield from numbered(change)


def numbers_missing(key: Key) -> str:
    told = f"numbers of {key.name} {MISSING}"
    return f"One transaction locks the table and its sequence: {told}."


def _exchanged(
    sequence: Sequence, before: Column, after: Column, default: Operations
) -> Operations:
    """An identity in place of a default from a sequence, or the other way round."""
    key, its = Key("sequence", sequence.name), quoted(sequence.name)
    loose = replace(sequence, owned_by=None)
    if after.identity is not None:
        return [*default, sql(alterations.own(loose)), *identity_after(loose, before, after)]
    # Writers lock the table before its sequence too. That of the identity may have the name.
    former = quoted(short_name(f"{own_name(sequence.name)}_former"))
    steps = (
        f"ALTER TABLE {quoted(after.table)} ALTER COLUMN {quoted(after.name)} SET GENERATED ALWAYS",
        f"ALTER SEQUENCE IF EXISTS {its} RENAME TO {former}",
        *statements.create(key, loose),
        f"SELECT setval({literal(its)}, nextval({own_sequence(after)}), false)",
        alterations.identity(before, after),
    )
    return [*map(sql, steps), *default, sql(alterations.own(sequence))]


def followed(before: Column, after: Column) -> str | None:
    """The identity after a change of the type: a bound of the old type becomes one of the new."""
    old, new = HIGHEST.get(before.type), HIGHEST.get(after.type)
    if before.identity is None or old is None or new is None:
        return before.identity
    found = re.sub(rf"\bMAXVALUE {old}\b", f"MAXVALUE {new}", before.identity)
    return re.sub(rf"\bMINVALUE {-old - 1}\b", f"MINVALUE {-new - 1}", found)


def numbered(change: Change) -> Iterator[Change]:
    """A sequence, and in another revision its first number, which may take a scan."""
    key = change.key
    number = change.ops[-1] if change.ops else None
    if not isinstance(number, ContinueSequence):
        yield change
        return
    begun = Change(change.stage, change.ops[:-1], change.undo, change.action, key)
    about = (
        f"The sequence starts from its first number until a later revision sets {key.name} after "
        "the existing rows: until then, no release may rely on it."
    )
    yield begun.at(Turn.MAIN, about=about)
    about = (
        "Reads the rows for the highest number without blocking. The sequence does not see numbers "
        "that a release writes by itself afterwards."
    )
    title = f"Set {key.name} after its rows"
    last = Change(Stage.STATE, [number], [sql(number.again)], "number", key)
    yield last.at(Turn.VALIDATE, key.name, title, about)
