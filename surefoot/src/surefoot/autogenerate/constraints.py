"""Constraints of a table in use: promised, then proven; a key made of an index that was built."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from alembic.operations import MigrateOperation, ops
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate import no_other_way, object_operations
from surefoot.autogenerate.anew import exchanged_key, is_exchanged
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.indexes import key_index_of
from surefoot.autogenerate.parts import PROVEN, REWRITE, Part, Turn
from surefoot.autogenerate.spelling import BuildIndex, NotValid, UnbuildIndex
from surefoot.autogenerate.steps import CreateCheck, Stage, Step, sql
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
    """How the steps on constraints are taken apart; `moved` is what is not left as it is."""

    comparison: Comparison
    moved: Collection[Key]

    def parts(self, step: Step, key: Key) -> Iterator[Part]:
        """The parts of a step on a constraint."""
        if step.word == "validate":
            yield from self._validated(step, key)
            return
        if step.stage in (Stage.DROP, Stage.CLEAN):
            if not is_exchanged(key, self.comparison, self.moved):
                yield Part(step, Turn.MAIN, about=self._without(key))
            return
        constraint = self.comparison.models.one(Constraint, key)
        name, table = constraint.name, constraint.table
        if self._refers_from_new_to_old(constraint):
            yield Part(self._promised(step, key, constraint), Turn.KEYS, "", f"Add {name}")
            yield self._proof(key, constraint)
        elif not self.comparison.is_in_use(table) or not constraint.validated:
            yield Part(step, Turn.MAIN)
        elif constraint.type == "exclusion":
            yield self._exclusion(step, key, table)
        elif constraint.type in ("check", "foreign key"):
            yield Part(self._promised(step, key, constraint), Turn.MAIN, "", f"Add {name}")
            yield self._proof(key, constraint)
        else:
            yield from self._key(step, key, constraint)

    def _refers_from_new_to_old(self, constraint: Constraint) -> bool:
        """Whether this is a new table's reference to one that is there: two are locked by it."""
        return (
            constraint.validated
            and constraint.table in self.comparison.new_tables
            and object_operations.refers_to(constraint) in self.comparison.kept_tables
        )

    def _exclusion(self, step: Step, key: Key, table: str) -> Part:
        allow = no_other_way.exclusion(table)
        if key in self.comparison.database.objects:
            return Part(step, Turn.MAIN, allow=allow)  # in the place of the former
        name = key.name.rpartition(".")[2]
        return Part(step, Turn.REWRITE, key.name, f"Add {name}", REWRITE, allow)

    def _without(self, key: Key) -> str:
        """What it means that a key is dropped in one revision and made again in another."""
        found = self.comparison.models.find(Constraint, key)
        if found is None or found.type not in ("unique", "primary key"):
            return ""
        name, table = found.name, found.table
        return f"Until {name} is made again, nothing keeps the rows of {table} apart by it."

    def _validated(self, step: Step, key: Key) -> Iterator[Part]:
        constraint = self.comparison.models.one(Constraint, key)
        if constraint.validated and self.comparison.is_in_use(constraint.table):
            yield self._proof(key, constraint)
        else:
            yield Part(step, Turn.MAIN)

    def _proof(self, key: Key, constraint: Constraint) -> Part:
        name, table = constraint.name, constraint.table
        back = [*object_operations.drop(key, constraint), *self._not_valid(key, constraint)]
        step = Step(Stage.STATE, [ValidateConstraint(name, table)], back, "validate", key)
        return Part(step, Turn.VALIDATE, table, f"Validate {name} of {table}", PROVEN)

    def _promised(self, step: Step, key: Key, constraint: Constraint) -> Step:
        return Step(step.stage, self._not_valid(key, constraint), step.undo, "promise", key)

    def _not_valid(self, key: Key, constraint: Constraint) -> list[MigrateOperation]:
        """The operations that make a constraint for what is written from now on."""
        made, *rest = object_operations.create(key, constraint, self.comparison.declared)
        if isinstance(made, _NOT_VALID):
            return [NotValid(made), *rest]
        not_valid = replace(constraint, validated=False)
        return [sql(each) for each in statements.create(key, not_valid)]

    def _key(self, step: Step, key: Key, constraint: Constraint) -> Iterator[Part]:
        found = key_index_of(constraint)
        if found is None:
            yield Part(step, Turn.MAIN)
            return
        if is_exchanged(key, self.comparison, self.moved):
            yield from exchanged_key(key, found, self.comparison)
            return
        name, table = constraint.name, constraint.table
        build = Step(step.stage, [BuildIndex(found.index)], [UnbuildIndex(name)], "build", key)
        yield Part(build, Turn.INDEX, name, f"Build the index of {name}")
        kind = PrimaryKeyUsingIndex if found.is_primary else UniqueUsingIndex
        using = kind(
            conv(name), table, name, deferrable=found.deferrable, initially=found.initially
        )
        # Alembic's own takes no part of the key's index with it; the constraint does.
        do = [using, *step.ops[1:]]
        attach = Step(step.stage, do, [*step.undo, found.index], "attach", key)
        yield Part(
            attach,
            Turn.KEYS,
            table,
            f"Make {name} of its index",
            "The index was built in the revision before: no row is read.",
        )
