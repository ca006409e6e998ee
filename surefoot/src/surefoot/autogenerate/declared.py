"""Declared renames of tables and columns, and moves of tables to another schema.

    alembic -x rename=jobs.rank:jobs.priority -x rename=files:documents revision --autogenerate …
    alembic -x rename=logs:archive.logs revision --autogenerate …

These are declared and never guessed. They are carried out in a savepoint before the comparison, so
that everything else is compared with the renamed database, and rolled back afterwards. An
undeclared one is a drop and an add, with a question (`questions`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from surefoot.autogenerate.allowances import MISSING
from surefoot.autogenerate.change import Change, Stage, Turn, in_one
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.renames import DECLARED, Rename
from surefoot.connect.failures import describe, sqlstate
from surefoot.errors import UsageError
from surefoot.quoting import cut, in_schema, short_name, shown

_FORM = (
    "write -x rename=table.column:table.new_column, -x rename=table:new_table, or "
    "-x rename=table:schema.table; a new schema is created by a revision before"
)
# The classes of SQLSTATEs for what does not exist or exists already.
_REFUSED = ("42P", "427", "428", "3F")
# Those of a table and of a column whose name is taken.
_TAKEN = ("42P07", "42701")
# Those whose name is no table's of the default one.
_SCHEMAS = text("""
SELECT nspname::text FROM pg_namespace
WHERE NOT EXISTS (SELECT FROM pg_class WHERE relname = nspname
                  AND relnamespace = to_regnamespace(quote_ident(:default)))
""")
_SWAPPED = (
    "{0} and {1} swap their names: a release that knows the former ones does not fail afterwards, "
    "but reads and writes each under the name of the other. Before this runs: stop the running "
    "release, and start one with the new models afterwards. If that is not possible: give both new "
    "names."
)


def parse_renames(
    arguments: Iterable[str], schema: str, schemas: Collection[str] = ()
) -> list[Rename]:
    """The renames that `-x rename=…` declares; `schema` is the default one.

    `schemas` are those that a name may begin with. The table of a column may have the name that it
    has before its own rename.

    On failure: UsageError with the form.
    """
    given = [*arguments]
    tables = dict(each.split(":") for each in given if each.count(":") == 1)
    renames = (_parsed(_of_new_name(each, tables), schema, schemas) for each in given)
    return sorted(renames, key=lambda each: DECLARED.index(each.kind))


def _of_new_name(argument: str, tables: Mapping[str, str]) -> str:
    """The rename of a column with the name that its table gets by another one."""
    (old, _, column), (new, _, other) = (
        each.rpartition(".") for each in argument.partition(":")[::2]
    )
    to = tables.get(old)
    freed = old == new and old not in tables.values()
    return f"{to}.{column}:{to}.{other}" if to and (new == to or freed) else argument


def _parsed(argument: str, default: str, schemas: Collection[str]) -> Rename:
    (old, table), (new, other) = (
        [".".join(map(cut, part.split("."))) for part in each.rpartition(".")[::2]]
        for each in argument.partition(":")[::2]
    )
    if table == other and table and old != new:
        return Rename("schema", table, old or default, new or default, default)
    if table and other and old == new:
        first, _, rest = old.partition(".")
        schema, owner = (first, rest) if first in schemas else (None, old)
        if owner:
            return Rename("column", in_schema(schema, owner), table, other)
        old, new = (in_schema(schema, each) for each in (table, other))
        return Rename("table", old, old, new)
    raise UsageError(f"{argument!r} is no rename", help=_FORM)


def carry_out(connection: Connection, arguments: Iterable[str]) -> list[Rename]:
    """Rename what is declared, in the savepoint of the caller. On failure: UsageError."""
    default = connection.dialect.default_schema_name or "public"
    schemas = connection.scalars(_SCHEMAS, {"default": default}).all()
    left, done = parse_renames(arguments, default, schemas), []
    while left:
        # In their order, but for one whose new name another one has to free.
        waits = {each for each in left if each.name in {other.back.name for other in left}}
        ready = (each for each in left if _carry_out(connection, each, may_wait=each in waits))
        if (rename := next(ready, None)) is not None:
            left.remove(rename)
        else:
            last, there = left[0], short_name(f"{left[0].old}_former")
            rename, left[0] = replace(last, new=there), replace(last, old=there)
            _carry_out(connection, rename)
        done.append(rename)
    return done


def _carry_out(connection: Connection, rename: Rename, *, may_wait: bool = False) -> bool:
    """Whether it is done; where it may wait, an object that has the new name is no failure."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(rename.statement())
    except DBAPIError as error:
        state = sqlstate(error) or ""
        if may_wait and state in _TAKEN:
            return False
        if not state.startswith(_REFUSED):
            raise
        said = f"{rename.back.name} cannot become {rename.name}: {describe(error)}"
        raise UsageError(shown(said), help=_FORM) from None
    return True


def changes(
    renames: Sequence[Rename], declared: Collection[str], covered: Comparison | None
) -> Iterator[Change]:
    """The declared renames as changes, as `Rename.changes` has them; a swap is one change."""
    swaps = _swaps(renames)
    for each in renames:
        pair = swaps.get(each)
        steps = [other for other in swaps if swaps[other] == pair]
        if pair is None:
            yield from each.changes(declared, covered)
        elif each == steps[0]:
            made = [other.change() for other in steps]
            change = in_one(Stage.DROP, made, "rename", made[-1].key)
            about = _SWAPPED.format(*pair)
            if each.kind == "table":
                about += f" One transaction locks both: a table of either name {MISSING}."
            yield change.at(Turn.RENAME, "", f"Swap the names of {pair[0]} and {pair[1]}", about)


def _swaps(renames: Iterable[Rename]) -> Mapping[Rename, tuple[str, str]]:
    """The renames by which two objects get each other's name, with both names."""
    # The first name of each object, by the name that it has now.
    of: dict[str, str] = {}
    firsts: dict[Rename, str] = {}
    for each in renames:
        old = each.back.name
        of[each.name] = firsts[each] = of.pop(old, old)
    ends = {first: end for end, first in of.items()}
    return {
        each: (min(first, ends[first]), max(first, ends[first]))
        for each, first in firsts.items()
        if first != ends[first] and ends.get(ends[first]) == first
    }
