"""Adds constraints to tables in use: NOT VALID, then validated; keys from an existing index."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from alembic.operations import MigrateOperation, ops
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.index_swap import can_swap, swap_key
from surefoot.autogenerate.indexes import key_index_of
from surefoot.autogenerate.rendering import BuildIndex, CreateCheck, NotValid, RemoveIndex, sql
from surefoot.autogenerate.revision_part import PROVEN, REWRITE, RevisionPart, Turn
from surefoot.autogenerate.unavoidable import unavoidable
from surefoot.catalog import Key, statements
from surefoot.catalog.kinds import Constraint
from surefoot.operations.constraints import (
    PrimaryKeyUsingIndex,
    UniqueUsingIndex,
    ValidateConstraint,
)

_NOT_VALID = (CreateCheck, ops.CreateForeignKeyOp)


@dataclass(frozen=True)
class Constraints:
    """Divides changes of constraints into parts; `moved` are the objects that change below them."""

    comparison: Comparison
    moved: Collection[Key]

    def parts(self, change: Change, key: Key) -> Iterator[RevisionPart]:
        """The parts of a change on a constraint."""
        if change.action == "validate":
            yield from self._validated(change, key)
            return
        if change.stage in (Stage.DROP, Stage.CLEAN):
            if not can_swap(key, self.comparison, self.moved):
                yield RevisionPart(change, Turn.MAIN, about=self._without(key))
            return
        constraint = self.comparison.models.one(Constraint, key)
        name, table = constraint.name, constraint.table
        if self._refers_from_new_to_old(constraint):
            yield RevisionPart(
                self._promised(change, key, constraint), Turn.KEYS, "", f"Add {name}"
            )
            yield self._proof(key, constraint)
        elif not self.comparison.is_in_use(table) or not constraint.validated:
            yield RevisionPart(change, Turn.MAIN)
        elif constraint.type == "exclusion":
            yield self._exclusion(change, key, table)
        elif constraint.type in ("check", "foreign key"):
            yield RevisionPart(
                self._promised(change, key, constraint), Turn.MAIN, "", f"Add {name}"
            )
            yield self._proof(key, constraint)
        else:
            yield from self._key(change, key, constraint)

    def _refers_from_new_to_old(self, constraint: Constraint) -> bool:
        """Whether this is a foreign key of a new table to an existing one, which locks both."""
        return (
            constraint.validated
            and constraint.table in self.comparison.new_tables
            and object_operations.refers_to(constraint) in self.comparison.kept_tables
        )

    def _exclusion(self, change: Change, key: Key, table: str) -> RevisionPart:
        allow = unavoidable("exclusion", table)
        if key in self.comparison.database.objects:
            return RevisionPart(change, Turn.MAIN, allow=allow)  # in place of the old one
        name = key.name.rpartition(".")[2]
        return RevisionPart(change, Turn.REWRITE, key.name, f"Add {name}", REWRITE, allow)

    def _without(self, key: Key) -> str:
        """The warning for a key that one revision drops and another one creates again."""
        found = self.comparison.models.find(Constraint, key)
        if found is None or found.type not in ("unique", "primary key"):
            return ""
        name, table = found.name, found.table
        return f"Until {name} is created again, {table} accepts duplicate rows."

    def _validated(self, change: Change, key: Key) -> Iterator[RevisionPart]:
        constraint = self.comparison.models.one(Constraint, key)
        if constraint.validated and self.comparison.is_in_use(constraint.table):
            yield self._proof(key, constraint)
        else:
            yield RevisionPart(change, Turn.MAIN)

    def _proof(self, key: Key, constraint: Constraint) -> RevisionPart:
        name, table = constraint.name, constraint.table
        back = [*object_operations.drop(key, constraint), *self._not_valid(key, constraint)]
        change = Change(Stage.STATE, [ValidateConstraint(name, table)], back, "validate", key)
        return RevisionPart(change, Turn.VALIDATE, table, f"Validate {name} of {table}", PROVEN)

    def _promised(self, change: Change, key: Key, constraint: Constraint) -> Change:
        return Change(change.stage, self._not_valid(key, constraint), change.undo, "promise", key)

    def _not_valid(self, key: Key, constraint: Constraint) -> list[MigrateOperation]:
        """The operations that add a constraint NOT VALID."""
        made, *rest = object_operations.create(key, constraint, self.comparison.declared)
        if isinstance(made, _NOT_VALID):
            return [NotValid(made), *rest]
        not_valid = replace(constraint, validated=False)
        return [sql(each) for each in statements.create(key, not_valid)]

    def _key(self, change: Change, key: Key, constraint: Constraint) -> Iterator[RevisionPart]:
        found = key_index_of(constraint)
        if found is None:
            yield RevisionPart(change, Turn.MAIN)
            return
        if can_swap(key, self.comparison, self.moved):
            yield from swap_key(key, found, self.comparison)
            return
        name, table = constraint.name, constraint.table
        build = Change(change.stage, [BuildIndex(found.index)], [RemoveIndex(name)], "build", key)
        yield RevisionPart(build, Turn.INDEX, name, f"Build the index of {name}")
        kind = PrimaryKeyUsingIndex if found.is_primary else UniqueUsingIndex
        using = kind(
            conv(name), table, name, deferrable=found.deferrable, initially=found.initially
        )
        # The operation of Alembic does not drop the index of the key; dropping the constraint does.
        do = [using, *change.ops[1:]]
        attach = Change(change.stage, do, [*change.undo, found.index], "attach", key)
        yield RevisionPart(
            attach,
            Turn.KEYS,
            table,
            f"Create {name} from its index",
            "The index was built in an earlier revision: no row is read.",
        )
