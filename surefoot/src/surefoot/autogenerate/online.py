"""A step on a table in use, taken apart into parts that make nobody wait.

What PostgreSQL can only prove or build by reading a table is promised in one revision, and proven
or built beside readers and writers in another. What a release that runs may still use goes last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from alembic.operations import ops

from surefoot.autogenerate import domains, no_other_way
from surefoot.autogenerate.additions import fills_rows
from surefoot.autogenerate.anew import exchanged_index, is_exchanged
from surefoot.autogenerate.changes import ROUTINES, VIEWS
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.constraints import Constraints
from surefoot.autogenerate.domains import checked_domain
from surefoot.autogenerate.enums import used_by
from surefoot.autogenerate.exchange import exchange, exchanged_enum
from surefoot.autogenerate.indexes import index_of
from surefoot.autogenerate.nulls import dropped_column, forbid_null
from surefoot.autogenerate.parts import REWRITE, Allowance, Part, Turn
from surefoot.autogenerate.renaming import renamed
from surefoot.autogenerate.retyping import needs_no_rewrite
from surefoot.autogenerate.spelling import BuildIndex, RenameColumn, RenameTable, UnbuildIndex
from surefoot.autogenerate.steps import GoOn, Stage, Step, sql
from surefoot.catalog import Key, SchemaObject, statements
from surefoot.catalog.kinds import Column, Constraint, Index, Sequence, TableObject
from surefoot.operations.enums import AddEnumValueOp

_VALUE = (
    "Every release knows one of the two names, and fails where it meets the other. Before this "
    "runs: have the next release ready, and replace the one that runs at the same time. Without "
    "such a moment: add the new value, let the releases write it, change the rows in batches, and "
    "take the former away in a contract revision."
)


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
            allow = no_other_way.sequence(key.name) if key.kind == "sequence" else ()
            yield Part(step, Turn.RENAME, allow=allow)
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
            of = exchanged_enum if key.kind == "enum" else exchange
            yield from of(key, self.comparison)
        elif key is None:
            about = self._rewritten(operation)
            table = str(getattr(operation, "table_name", ""))
            written = about and self.comparison.is_in_use(table)
            allow = no_other_way.retyped(table) if written else ()
            yield Part(step, Turn.MAIN, about=about, allow=allow)
        else:
            yield from self._of_object(step, key)

    def _of_object(self, step: Step, key: Key) -> Iterator[Part]:
        item = self._of(key)
        if isinstance(item, TableObject) and item.table in self.comparison.gone_tables:
            yield self._with_its_table(step, key, item)
        elif key.kind == "column" and step.word == "make" and self._writes_rows(key):
            allow = self._written_for(key)
            yield Part(step, Turn.REWRITE, key.name, f"Add {key.name}", REWRITE, allow)
        elif key.kind == "column" and step.word == "remake" and self._writes_rows(key):
            allow = self._written_for(key) if step.stage is Stage.TABLES else ()
            yield Part(step, Turn.MAIN, allow=allow)
        elif key.kind in ("domain", "enum"):
            yield from self._type(step, key)
        elif number := self._number(step, key):
            yield from _numbered(step, key, number)
        elif key.kind == "column" and step.word == "default":
            yield Part(step, Turn.MAIN, about=_unfilled(key))
        elif key.kind == "index":
            yield from self._index(step, key)
        elif key.kind == "constraint":
            yield from Constraints(self.comparison, self.moved).parts(step, key)
        elif self._can_wait(step, key):
            title = f"Drop the {key.kind} {key.name}"
            yield Part(step, Turn.CONTRACT, "", title, _unused(f"the {key.kind} {key.name}"))
        else:
            yield Part(step, Turn.MAIN)

    def _type(self, step: Step, key: Key) -> Iterator[Part]:
        if key.kind == "domain" and step.word == "make":
            yield from domains.made(step, key, self.comparison)
        elif key.kind == "domain" and step.word == "change":
            yield from domains.changed(step, key, self.comparison)
        elif step.word == "replace":
            tables = sorted({table for table, _ in used_by(self.comparison, key)})
            yield Part(step, Turn.MAIN, allow=no_other_way.enum(key.name, tables))
        elif key.kind == "enum" and step.word == "rename":
            yield Part(step, Turn.MAIN, about=_VALUE, allow=no_other_way.value())
        else:
            yield Part(step, Turn.MAIN)

    def _of(self, key: Key) -> SchemaObject | None:
        """What an object is; of one that both have, as the models have it."""
        objects = self.comparison.models.objects, self.comparison.database.objects
        return objects[0].get(key) or objects[1].get(key)

    def _rewritten(self, operation: object) -> str:
        """What is to be said of a change of type that nothing can be done beside."""
        if not isinstance(operation, ops.AlterColumnOp) or operation.modify_type is None:
            return ""
        key = Key("column", f"{operation.table_name}.{operation.column_name}")
        pair = self.comparison.column(key)
        if pair is None or needs_no_rewrite(pair[0].type, pair[1].type):
            return ""
        return REWRITE

    def _writes_rows(self, key: Key) -> bool:
        """Whether every row is written as a column is added."""
        column = self.comparison.models.one(Column, key)
        if not self.comparison.is_in_use(column.table):
            return False
        return fills_rows(column) or checked_domain(self.comparison, key)

    def _number(self, step: Step, key: Key) -> GoOn | None:
        """What lets a sequence go on after the rows, where that is the last of the step."""
        item = self._of(key)
        owner = item.owned_by or "" if isinstance(item, Sequence) else ""
        if step.word == "identity" or (
            step.word == "make" and self.comparison.is_in_use(owner.rpartition(".")[0])
        ):
            last = step.ops[-1]
            return last if isinstance(last, GoOn) else None
        return None

    def _written_for(self, key: Key) -> tuple[Allowance, ...]:
        column = self.comparison.models.one(Column, key)
        if column.identity:
            return no_other_way.identity(column.table)
        if column.generated:
            return no_other_way.stored(column.table)
        return no_other_way.checked(column.table)

    @staticmethod
    def _with_its_table(step: Step, key: Key, item: TableObject) -> Part:
        if step.ops and isinstance(item, Constraint) and item.type == "foreign key":
            return Part(step, Turn.UNREFER, item.name, f"Drop {item.name} of {item.table}")
        if step.ops:
            return Part(step, Turn.CONTRACT)
        return Part(step, Turn.TABLES, item.table)

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
        item = catalog.one(Index, key)
        made = step.undo if leaving else step.ops
        index = made[0] if made and isinstance(made[0], ops.CreateIndexOp) else None
        index = index or index_of(item)
        view = Key("materialized view", item.table)
        if leaving and view in self.comparison.database.objects:
            without = Step(step.stage, [], step.undo, step.word, key)  # the view takes it along
            if view in self.moved:
                yield Part(without, Turn.MAIN)
                return
            if view not in self.comparison.models.objects:
                yield Part(without, Turn.CONTRACT)
                return
        if not self.comparison.is_in_use(item.table) or index is None:
            yield Part(step, Turn.MAIN)
            return
        if is_exchanged(key, self.comparison, self.moved):
            if not leaving:
                yield from exchanged_index(key, index, self.comparison)
            return
        name = item.name
        build, unbuild = BuildIndex(index), UnbuildIndex(name)
        said = [sql(statements.comment(key, item))] if item.comment else []
        unsaid = [sql(statements.comment(key, replace(item, comment=None)))] if said else []
        if leaving:
            if said:
                yield Part(Step(step.stage, unsaid, said, "comment", key), Turn.BEFORE)
            gone = Step(step.stage, [unbuild], [build], "unbuild", key)
            again = key in self.comparison.models.objects
            about = f"Until {name} is built again, queries do without it." if again else ""
            yield Part(gone, Turn.UNINDEX, name, f"Drop {name}", about)
        else:
            there = Step(step.stage, [build], [unbuild], "build", key)
            yield Part(there, Turn.INDEX, name, f"Build {name} on {item.table}")
            if said:
                yield Part(Step(step.stage, said, unsaid, "comment", key), Turn.KEYS)


def _numbered(step: Step, key: Key, number: GoOn) -> Iterator[Part]:
    """A sequence, and then its first number: to find that, all rows may have to be read."""
    yield Part(
        Step(step.stage, step.ops[:-1], step.undo, step.word, key), Turn.MAIN,
        about=f"Its numbers begin anew until the revision that numbers {key.name} after its rows: "
        "before that, no release may leave the number to the database.",
    )  # fmt: skip
    yield Part(
        Step(Stage.STATE, [number], [number.reverse()], "number", key),
        Turn.VALIDATE, key.name, f"Number {key.name} after its rows",
        "Reads the rows for the highest number; readers and writers go on. What a release writes "
        "by itself after this is not known to the sequence.",
    )  # fmt: skip


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
