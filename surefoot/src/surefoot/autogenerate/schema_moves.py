"""Tables that move to another schema: declared as renames are, and never guessed.

alembic -x rename=logs:archive.logs revision --autogenerate …
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Connection, text

from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.renames import Candidate, Rename, carry_out, parse_renames
from surefoot.autogenerate.rendering import sql
from surefoot.catalog import Key
from surefoot.errors import UsageError
from surefoot.quoting import quoted

_THERE = text("SELECT to_regclass(:name) IS NOT NULL")
_SCHEMA_THERE = text("SELECT to_regnamespace(:name) IS NOT NULL")
_ABOUT = (
    "A release that names a schema knows either {old} or {new}. Before this runs: have the next "
    "release ready, and replace the running one at the same moment. Types and functions stay in "
    "their schema; indexes, constraints and owned sequences move along."
)


@dataclass(frozen=True)
class Move:
    """A move of a table from one schema to another, and the names by which models know it."""

    table: str
    old: str
    new: str
    known_as: tuple[str, str]

    @classmethod
    def parse(cls, argument: str, default: str) -> "Move | None":
        """The move that `-x rename=…` declares: one table, with or without a schema, in two.

        None where it is a rename.
        """
        known_as = argument.partition(":")[::2]
        (old, table), (new, other) = (each.rpartition(".")[::2] for each in known_as)
        if not table or table != other or old == new:
            return None
        return cls(table, old or default, new or default, known_as)

    def carry_out(self, connection: Connection) -> None:
        """Move it, in the savepoint of the caller. On failure: UsageError for what is not there."""
        if not connection.scalar(_SCHEMA_THERE, {"name": quoted(self.new)}):
            raise UsageError(
                f"there is no schema {self.new}",
                help="create it by a revision first: "
                f"op.execute('CREATE SCHEMA IF NOT EXISTS {self.new}')",
            )
        there = [
            connection.scalar(_THERE, {"name": f"{quoted(each)}.{quoted(self.table)}"})
            for each in (self.old, self.new)
        ]
        if not there[0]:
            raise UsageError(f"there is no table {self.known_as[0]}")
        if there[1]:
            raise UsageError(f"there is already a table {self.known_as[1]}")
        connection.execute(text(self._statement().replace(":", r"\:")))

    def change(self) -> Change:
        """The move as a change."""
        back, (old, new) = replace(self, old=self.new, new=self.old), self.known_as
        do, undo = sql(self._statement()), sql(back._statement())
        change = Change(Stage.DROP, [do], [undo], "rename", Key("table", self.table))
        return change.at(Turn.RENAME, "", f"Move {old} to {new}", _ABOUT.format(old=old, new=new))

    def _statement(self) -> str:
        return f"ALTER TABLE {quoted(self.old)}.{quoted(self.table)} SET SCHEMA {quoted(self.new)}"


def carry_out_declared(
    connection: Connection, arguments: Sequence[str]
) -> tuple[list[Rename], list[Move]]:
    """Move and rename what is declared, in the savepoint of the caller. On failure: UsageError."""
    default = connection.dialect.default_schema_name or "public"
    moves = {each: move for each in arguments if (move := Move.parse(each, default))}
    renames = parse_renames(each for each in arguments if each not in moves)
    for move in moves.values():
        move.carry_out(connection)
    carry_out(connection, renames, default)
    return renames, [*moves.values()]


def possible_moves(
    gone: Iterable[str], come: Iterable[str], operations: Sequence[MigrateOperation]
) -> Iterator[Candidate]:
    """The drops and adds of a table of one name in two schemas, which may be a move.

    `operations` are those of the schemas other than the default one, whose tables go and come.
    """
    dropped: set[tuple[str | None, str]] = {(None, each) for each in gone}
    added: set[tuple[str | None, str]] = {(None, each) for each in come}
    dropped |= {(e.schema, e.table_name) for e in operations if isinstance(e, ops.DropTableOp)}
    added |= {(e.schema, e.table_name) for e in operations if isinstance(e, ops.CreateTableOp)}
    for old, new in itertools.product(sorted(dropped, key=str), sorted(added, key=str)):
        if old[1] == new[1]:
            yield Candidate(*(".".join(filter(None, each)) for each in (old, new)))
