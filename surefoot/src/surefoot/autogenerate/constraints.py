"""Constraints of a table in use: promised, then proven; a key made of an index that was built."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from alembic.operations import MigrateOperation, ops
from sqlalchemy.sql.elements import conv

from surefoot.autogenerate import no_other_way, wording
from surefoot.autogenerate.anew import exchanged_key, is_exchanged
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.definitions import key_index_of
from surefoot.autogenerate.parts import PROVEN, REWRITE, Part, Turn
from surefoot.autogenerate.spelling import BuildIndex, NotValid, UnbuildIndex
from surefoot.autogenerate.steps import CreateCheck, Stage, Step, sql
from surefoot.catalog import Attributes, Key, statements
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
        attributes = self.comparison.models.objects[key]
        table = str(attributes["table"])
        if self._refers_from_new_to_old(attributes):
            name = str(attributes["name"])
            yield Part(self._promised(step, key, attributes), Turn.KEYS, "", f"Add {name}")
            yield self._proof(key, attributes)
        elif not self.comparison.is_in_use(table) or not attributes["validated"]:
            yield Part(step, Turn.MAIN)
        elif attributes["type"] == "exclusion":
            yield self._exclusion(step, key, table)
        elif attributes["type"] in ("check", "foreign key"):
            name = str(attributes["name"])
            yield Part(self._promised(step, key, attributes), Turn.MAIN, "", f"Add {name}")
            yield self._proof(key, attributes)
        else:
            yield from self._key(step, key, attributes)

    def _refers_from_new_to_old(self, attributes: Attributes) -> bool:
        """Whether this is a new table's reference to one that is there: two are locked by it."""
        referred, table = wording.refers_to(attributes), str(attributes["table"])
        return (
            bool(attributes["validated"])
            and table in self.comparison.new_tables
            and referred in self.comparison.kept_tables
        )

    def _exclusion(self, step: Step, key: Key, table: str) -> Part:
        allow = no_other_way.exclusion(table)
        if key in self.comparison.database.objects:
            return Part(step, Turn.MAIN, allow=allow)  # in the place of the former
        name = key.name.rpartition(".")[2]
        return Part(step, Turn.REWRITE, key.name, f"Add {name}", REWRITE, allow)

    def _without(self, key: Key) -> str:
        """What it means that a key is dropped in one revision and made again in another."""
        found = self.comparison.models.objects.get(key)
        if found is None or found["type"] not in ("unique", "primary key"):
            return ""
        name, table = found["name"], found["table"]
        return f"Until {name} is made again, nothing keeps the rows of {table} apart by it."

    def _validated(self, step: Step, key: Key) -> Iterator[Part]:
        attributes = self.comparison.models.objects[key]
        if attributes["validated"] and self.comparison.is_in_use(str(attributes["table"])):
            yield self._proof(key, attributes)
        else:
            yield Part(step, Turn.MAIN)

    def _proof(self, key: Key, attributes: Attributes) -> Part:
        name, table = str(attributes["name"]), str(attributes["table"])
        back = [*wording.drop(key, attributes), *self._not_valid(key, attributes)]
        step = Step(Stage.STATE, [ValidateConstraint(name, table)], back, "validate", key)
        return Part(step, Turn.VALIDATE, table, f"Validate {name} of {table}", PROVEN)

    def _promised(self, step: Step, key: Key, attributes: Attributes) -> Step:
        return Step(step.stage, self._not_valid(key, attributes), step.undo, "promise", key)

    def _not_valid(self, key: Key, attributes: Attributes) -> list[MigrateOperation]:
        """The operations that make a constraint for what is written from now on."""
        made, *rest = wording.create(key, attributes, self.comparison.declared)
        if isinstance(made, _NOT_VALID):
            return [NotValid(made), *rest]
        not_valid: Attributes = {**attributes, "validated": False}
        return [sql(each) for each in statements.create(key, not_valid)]

    def _key(self, step: Step, key: Key, attributes: Attributes) -> Iterator[Part]:
        found = key_index_of(attributes)
        if found is None:
            yield Part(step, Turn.MAIN)
            return
        if is_exchanged(key, self.comparison, self.moved):
            yield from exchanged_key(key, found, self.comparison)
            return
        name, table = str(attributes["name"]), str(attributes["table"])
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
