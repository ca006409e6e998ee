"""A step on a table in use, taken apart into parts that make nobody wait.

What PostgreSQL can only prove or build by reading a table is promised in one revision, and proven
or built beside readers and writers in another. What a release that runs may still use goes last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from alembic.operations import MigrateOperation, ops
from sqlalchemy.sql.elements import conv

from app.migrate.proof.catalog import Attributes, Key, statements
from app.migrate.review.autogenerate import wording
from app.migrate.review.autogenerate.anew import (
    exchanged_index,
    exchanged_key,
    is_exchanged,
)
from app.migrate.review.autogenerate.changes import ROUTINES, VIEWS
from app.migrate.review.autogenerate.comparison import Comparison
from app.migrate.review.autogenerate.definitions import index_of, key_index_of
from app.migrate.review.autogenerate.exchange import exchange
from app.migrate.review.autogenerate.nulls import dropped_column, forbid_null
from app.migrate.review.autogenerate.parts import Part, Turn
from app.migrate.review.autogenerate.renaming import renamed
from app.migrate.review.autogenerate.retyping import needs_no_rewrite
from app.migrate.review.autogenerate.spelling import (
    BuildIndex,
    NotValid,
    RenameColumn,
    RenameTable,
    UnbuildIndex,
)
from app.migrate.review.autogenerate.steps import CreateCheck, Stage, Step, sql
from app.migrate.run.constraints import PrimaryKeyUsingIndex, UniqueUsingIndex, ValidateConstraint
from app.migrate.run.operations import AddEnumValueOp

_NOT_VALID = (CreateCheck, ops.CreateForeignKeyOp)
_REWRITE = (
    "There is no way to this that writes no row: run it where the table is small, or while nobody "
    "uses it."
)
_PROVEN = "Reads the rows that were there before; readers and writers go on."


@dataclass(frozen=True)
class Online:
    """How the steps of one comparison are taken apart; `moved` is what is not left as it is."""

    comparison: Comparison
    moved: Collection[Key]
    # Whether that tables are renamed is all there is.
    only_tables_renamed: bool = False

    def parts(self, step: Step) -> Iterator[Part]:
        """The parts of a step, in their order."""
        operation, key = step.ops[0] if step.ops else None, step.key
        if step.word == "rename" and isinstance(operation, RenameColumn | RenameTable):
            yield from renamed(step, operation, covered=self.only_tables_renamed)
        elif step.word == "rename" and key is not None and key.kind != "enum":
            yield Part(step, Turn.RENAME)
        elif any(isinstance(each, AddEnumValueOp) for each in step.ops):
            yield Part(step, Turn.VALUES, "", _values(step))
        elif getattr(operation, "schema", None) is not None:
            yield Part(step, Turn.MAIN)
        elif isinstance(operation, ops.DropTableOp):
            table = str(operation.table_name)
            yield Part(step, Turn.TABLES, table, f"Drop {table}", _unused(f"the table {table}"))
        elif isinstance(operation, ops.DropColumnOp) and step.word != "remake":
            yield from dropped_column(step, operation, self.comparison)
        elif step.word == "not null" and key is not None:
            yield from forbid_null(step, key, self.comparison)
        elif step.word == "exchange" and key is not None:
            yield from exchange(key, self.comparison)
        elif key is None:
            yield Part(step, Turn.MAIN, about=self._rewritten(operation))
        else:
            yield from self._of_object(step, key)

    def _of_object(self, step: Step, key: Key) -> Iterator[Part]:
        if self._of(key).get("table") in self.comparison.gone_tables:
            yield self._with_its_table(step, key)
        elif key.kind == "column" and step.word == "make" and self._writes_rows(key):
            yield Part(step, Turn.REWRITE, key.name, f"Add {key.name}", _REWRITE)
        elif key.kind == "column" and step.word == "default":
            yield Part(step, Turn.MAIN, about=_unfilled(key))
        elif key.kind == "index":
            yield from self._index(step, key)
        elif key.kind == "constraint":
            yield from self._constraint(step, key)
        elif self._can_wait(step, key):
            title = f"Drop the {key.kind} {key.name}"
            yield Part(step, Turn.CONTRACT, "", title, _unused(f"the {key.kind} {key.name}"))
        else:
            yield Part(step, Turn.MAIN)

    def _of(self, key: Key) -> Attributes:
        """What an object is; of one that both have, as the models have it."""
        objects = self.comparison.models.objects, self.comparison.database.objects
        return objects[0].get(key) or objects[1].get(key) or {}

    def _rewritten(self, operation: object) -> str:
        """What is to be said of a change of type that nothing can be done beside."""
        if not isinstance(operation, ops.AlterColumnOp) or operation.modify_type is None:
            return ""
        pair = self.comparison.column(str(operation.table_name), str(operation.column_name))
        if pair is None or needs_no_rewrite(str(pair[0]["type"]), str(pair[1]["type"])):
            return ""
        return _REWRITE

    def _writes_rows(self, key: Key) -> bool:
        """Whether a new column is filled as it is added, which only writing every row can."""
        column = self.comparison.models.objects[key]
        if not self.comparison.is_in_use(str(column["table"])):
            return False
        return bool(column["identity"]) or str(column["generated"] or "").endswith(" STORED")

    def _with_its_table(self, step: Step, key: Key) -> Part:
        attributes = self.comparison.database.objects.get(key, {})
        table = str(attributes.get("table"))
        if step.ops and key.kind == "constraint" and attributes.get("type") == "foreign key":
            name = str(attributes["name"])
            return Part(step, Turn.UNREFER, name, f"Drop {name} of {table}")
        if step.ops:
            return Part(step, Turn.CONTRACT)
        return Part(step, Turn.TABLES, table)

    def _can_wait(self, step: Step, key: Key) -> bool:
        """Whether what goes stands in the way of nothing that changes."""
        if step.word != "drop" or step.stage is not Stage.DROP:
            return False
        if key in self.comparison.models.objects:
            return False
        if key.kind not in (*VIEWS, *ROUTINES, "trigger"):
            return False
        return not any(key in self.comparison.database.users_of(each) for each in self.moved)

    def _index(self, step: Step, key: Key) -> Iterator[Part]:
        leaving = step.stage in (Stage.DROP, Stage.CLEAN)
        catalog = self.comparison.database if leaving else self.comparison.models
        attributes = catalog.objects[key]
        made = step.undo if leaving else step.ops
        index = made[0] if made and isinstance(made[0], ops.CreateIndexOp) else None
        index = index or index_of(attributes)
        view = Key("materialized view", str(attributes["table"]))
        if leaving and view in self.comparison.database.objects:
            without = Step(step.stage, [], step.undo, step.word, key)  # the view takes it along
            if view in self.moved:
                yield Part(without, Turn.MAIN)
                return
            if view not in self.comparison.models.objects:
                yield Part(without, Turn.CONTRACT)
                return
        if not self.comparison.is_in_use(str(attributes["table"])) or index is None:
            yield Part(step, Turn.MAIN)
            return
        if is_exchanged(key, self.comparison, self.moved):
            if not leaving:
                yield from exchanged_index(key, index, self.comparison)
            return
        name = str(attributes["name"])
        build, unbuild = BuildIndex(index), UnbuildIndex(name)
        said = [sql(statements.comment(key, attributes))] if attributes.get("comment") else []
        unsaid = [sql(statements.comment(key, {**attributes, "comment": None}))] if said else []
        if leaving:
            if said:
                yield Part(Step(step.stage, unsaid, said, "comment", key), Turn.BEFORE)
            gone = Step(step.stage, [unbuild], [build], "unbuild", key)
            again = key in self.comparison.models.objects
            about = f"Until {name} is built again, queries do without it." if again else ""
            yield Part(gone, Turn.UNINDEX, name, f"Drop {name}", about)
        else:
            there = Step(step.stage, [build], [unbuild], "build", key)
            yield Part(there, Turn.INDEX, name, f"Build {name} on {attributes['table']}")
            if said:
                yield Part(Step(step.stage, said, unsaid, "comment", key), Turn.KEYS)

    def _constraint(self, step: Step, key: Key) -> Iterator[Part]:
        if step.word == "validate":
            yield from self._validated(step, key)
            return
        if step.stage in (Stage.DROP, Stage.CLEAN):
            if not is_exchanged(key, self.comparison, self.moved):
                yield Part(step, Turn.MAIN, about=self._without(key))
            return
        attributes = self.comparison.models.objects[key]
        table = str(attributes["table"])
        if not self.comparison.is_in_use(table) or not attributes["validated"]:
            yield Part(step, Turn.MAIN)
        elif attributes["type"] in ("check", "foreign key"):
            name = str(attributes["name"])
            yield Part(self._promised(step, key, attributes), Turn.MAIN, "", f"Add {name}")
            yield self._proof(key, attributes)
        else:
            yield from self._key(step, key, attributes)

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
        return Part(step, Turn.VALIDATE, table, f"Validate {name} of {table}", _PROVEN)

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


def _unfilled(key: Key) -> str:
    return (
        f"The rows that are there have no value in {key.name}: fill them, in batches and outside "
        "of a revision, where they need one."
    )


def _values(step: Step) -> str:
    added = [each for each in step.ops if isinstance(each, AddEnumValueOp)]
    return f"Add {', '.join(each.value for each in added)} to {added[0].type_name}"


def _unused(what: str) -> str:
    return f"Before this runs: deploy a release that does not use {what}."
