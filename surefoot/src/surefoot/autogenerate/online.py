"""Divides a change of a table in use into parts that block neither reads nor writes for long.

Constraints are added NOT VALID in one revision and validated in another; indexes are built
concurrently. Objects that the running release may still use are dropped last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from alembic.operations import ops

from surefoot.autogenerate import domains
from surefoot.autogenerate.additions import fills_rows
from surefoot.autogenerate.change import Change, Stage
from surefoot.autogenerate.column_swap import swap_column, swap_enum
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.constraints import Constraints
from surefoot.autogenerate.domains import checked_domain
from surefoot.autogenerate.enums import used_by
from surefoot.autogenerate.index_swap import can_swap, swap_index
from surefoot.autogenerate.indexes import index_of
from surefoot.autogenerate.not_null import dropped_column, forbid_null
from surefoot.autogenerate.object_diff import ROUTINES, VIEWS
from surefoot.autogenerate.renames import rename_parts
from surefoot.autogenerate.rendering import (
    BuildIndex,
    ContinueSequence,
    RemoveIndex,
    RenameColumn,
    RenameTable,
    sql,
)
from surefoot.autogenerate.revision_part import REWRITE, Allowance, RevisionPart, Turn
from surefoot.autogenerate.type_change import needs_no_rewrite
from surefoot.autogenerate.unavoidable import unavoidable
from surefoot.catalog import Key, SchemaObject, statements
from surefoot.catalog.kinds import Column, Constraint, Index, Sequence, TableObject
from surefoot.operations.enums import AddEnumValueOp

_VALUE = (
    "A release knows one of the two names, and fails on the other. Before this runs: have the next "
    "release ready, and replace the running one at the same moment. If that is not possible: add "
    "the new value, let the releases write it, change the rows in batches, and remove the old "
    "value in a contract revision."
)


@dataclass(frozen=True)
class Online:
    """Divides the changes of one comparison; `moved` are objects that are recreated or retyped."""

    comparison: Comparison
    moved: Collection[Key]
    # Whether all changes are renames of tables.
    only_tables_renamed: bool = False

    def parts(self, change: Change) -> Iterator[RevisionPart]:
        """The parts of a change, in order."""
        operation, key = change.ops[0] if change.ops else None, change.key
        if change.action == "rename" and isinstance(operation, RenameColumn | RenameTable):
            yield from rename_parts(change, operation, covered=self.only_tables_renamed)
        elif change.action == "rename" and key is not None and key.kind != "enum":
            allow = unavoidable("name of a sequence", key.name) if key.kind == "sequence" else ()
            yield RevisionPart(change, Turn.RENAME, allow=allow)
        elif any(isinstance(each, AddEnumValueOp) for each in change.ops):
            yield RevisionPart(change, Turn.VALUES, "", _values(change))
        elif getattr(operation, "schema", None) is not None:
            yield RevisionPart(change, Turn.MAIN)
        elif isinstance(operation, ops.DropTableOp):
            table = str(operation.table_name)
            yield RevisionPart(
                change, Turn.TABLES, table, f"Drop {table}", _unused(f"the table {table}")
            )
        elif isinstance(operation, ops.DropColumnOp) and change.action != "remake":
            yield from dropped_column(change, operation, self.comparison)
        elif change.action == "not null" and key is not None:
            yield from forbid_null(change, key, self.comparison)
        elif change.action == "swap" and key is not None:
            of = swap_enum if key.kind == "enum" else swap_column
            yield from of(key, self.comparison)
        elif key is None:
            about = self._rewritten(operation)
            table = str(getattr(operation, "table_name", ""))
            written = about and self.comparison.is_in_use(table)
            allow = unavoidable("type of a column", table) if written else ()
            yield RevisionPart(change, Turn.MAIN, about=about, allow=allow)
        else:
            yield from self._of_object(change, key)

    def _of_object(self, change: Change, key: Key) -> Iterator[RevisionPart]:
        item = self._of(key)
        if isinstance(item, TableObject) and item.table in self.comparison.gone_tables:
            yield self._with_its_table(change, key, item)
        elif key.kind == "column" and change.action == "make" and self._writes_rows(key):
            allow = self._written_for(key)
            yield RevisionPart(change, Turn.REWRITE, key.name, f"Add {key.name}", REWRITE, allow)
        elif key.kind == "column" and change.action == "remake" and self._writes_rows(key):
            allow = self._written_for(key) if change.stage is Stage.TABLES else ()
            yield RevisionPart(change, Turn.MAIN, allow=allow)
        elif key.kind in ("domain", "enum"):
            yield from self._type(change, key)
        elif number := self._number(change, key):
            yield from _numbered(change, key, number)
        elif key.kind == "column" and change.action == "default":
            yield RevisionPart(change, Turn.MAIN, about=_unfilled(key))
        elif key.kind == "index":
            yield from self._index(change, key)
        elif key.kind == "constraint":
            yield from Constraints(self.comparison, self.moved).parts(change, key)
        elif self._can_wait(change, key):
            title = f"Drop the {key.kind} {key.name}"
            yield RevisionPart(
                change, Turn.CONTRACT, "", title, _unused(f"the {key.kind} {key.name}")
            )
        else:
            yield RevisionPart(change, Turn.MAIN)

    def _type(self, change: Change, key: Key) -> Iterator[RevisionPart]:
        if key.kind == "domain" and change.action == "make":
            yield from domains.made(change, key, self.comparison)
        elif key.kind == "domain" and change.action == "change":
            yield from domains.changed(change, key, self.comparison)
        elif change.action == "replace":
            tables = sorted({table for table, _ in used_by(self.comparison, key)})
            allow = unavoidable("enum", key.name, ", ".join(tables)) if tables else ()
            yield RevisionPart(change, Turn.MAIN, allow=allow)
        elif key.kind == "enum" and change.action == "rename":
            yield RevisionPart(
                change, Turn.MAIN, about=_VALUE, allow=unavoidable("name of an enum value")
            )
        else:
            yield RevisionPart(change, Turn.MAIN)

    def _of(self, key: Key) -> SchemaObject | None:
        """The object of the models, or else of the database."""
        objects = self.comparison.models.objects, self.comparison.database.objects
        return objects[0].get(key) or objects[1].get(key)

    def _rewritten(self, operation: object) -> str:
        """The warning for a type change that rewrites the table."""
        if not isinstance(operation, ops.AlterColumnOp) or operation.modify_type is None:
            return ""
        key = Key("column", f"{operation.table_name}.{operation.column_name}")
        pair = self.comparison.column(key)
        if pair is None or needs_no_rewrite(pair[0].type, pair[1].type):
            return ""
        return REWRITE

    def _writes_rows(self, key: Key) -> bool:
        """Whether adding the column rewrites the table."""
        column = self.comparison.models.one(Column, key)
        if not self.comparison.is_in_use(column.table):
            return False
        return fills_rows(column) or checked_domain(self.comparison, key)

    def _number(self, change: Change, key: Key) -> ContinueSequence | None:
        """The operation that sets a sequence after the rows, where the change ends with one."""
        item = self._of(key)
        owner = item.owned_by or "" if isinstance(item, Sequence) else ""
        if change.action == "identity" or (
            change.action == "make" and self.comparison.is_in_use(owner.rpartition(".")[0])
        ):
            last = change.ops[-1]
            return last if isinstance(last, ContinueSequence) else None
        return None

    def _written_for(self, key: Key) -> tuple[Allowance, ...]:
        column = self.comparison.models.one(Column, key)
        generated = "stored column" if column.generated else "checked column"
        return unavoidable("identity" if column.identity else generated, column.table)

    @staticmethod
    def _with_its_table(change: Change, key: Key, item: TableObject) -> RevisionPart:
        if change.ops and isinstance(item, Constraint) and item.type == "foreign key":
            return RevisionPart(
                change, Turn.UNREFER, item.name, f"Drop {item.name} of {item.table}"
            )
        if change.ops:
            return RevisionPart(change, Turn.CONTRACT)
        return RevisionPart(change, Turn.TABLES, item.table)

    def _can_wait(self, change: Change, key: Key) -> bool:
        """Whether the dropped object blocks no other change."""
        if change.action != "drop" or change.stage is not Stage.DROP:
            return False
        if key in self.comparison.models.objects:
            return False
        if key.kind not in (*VIEWS, *ROUTINES, "trigger"):
            return False
        return not any(key in self.comparison.database.users_of(each) for each in self.moved)

    def _index(self, change: Change, key: Key) -> Iterator[RevisionPart]:
        leaving = change.stage in (Stage.DROP, Stage.CLEAN)
        catalog = self.comparison.database if leaving else self.comparison.models
        item = catalog.one(Index, key)
        made = change.undo if leaving else change.ops
        index = made[0] if made and isinstance(made[0], ops.CreateIndexOp) else None
        index = index or index_of(item)
        view = Key("materialized view", item.table)
        if leaving and view in self.comparison.database.objects:
            without = Change(
                change.stage, [], change.undo, change.action, key
            )  # dropped with the view
            if view in self.moved:
                yield RevisionPart(without, Turn.MAIN)
                return
            if view not in self.comparison.models.objects:
                yield RevisionPart(without, Turn.CONTRACT)
                return
        if not self.comparison.is_in_use(item.table) or index is None:
            yield RevisionPart(change, Turn.MAIN)
            return
        if can_swap(key, self.comparison, self.moved):
            if not leaving:
                yield from swap_index(key, index, self.comparison)
            return
        name = item.name
        build, unbuild = BuildIndex(index), RemoveIndex(name)
        said = [sql(statements.comment(key, item))] if item.comment else []
        unsaid = [sql(statements.comment(key, replace(item, comment=None)))] if said else []
        if leaving:
            if said:
                yield RevisionPart(Change(change.stage, unsaid, said, "comment", key), Turn.BEFORE)
            gone = Change(change.stage, [unbuild], [build], "unbuild", key)
            again = key in self.comparison.models.objects
            about = f"Until {name} is built again, queries run without it." if again else ""
            yield RevisionPart(gone, Turn.UNINDEX, name, f"Drop {name}", about)
        else:
            there = Change(change.stage, [build], [unbuild], "build", key)
            yield RevisionPart(there, Turn.INDEX, name, f"Build {name} on {item.table}")
            if said:
                yield RevisionPart(Change(change.stage, said, unsaid, "comment", key), Turn.KEYS)


def _numbered(change: Change, key: Key, number: ContinueSequence) -> Iterator[RevisionPart]:
    """A sequence, and in another revision its first number, which may take a scan."""
    yield RevisionPart(
        Change(change.stage, change.ops[:-1], change.undo, change.action, key), Turn.MAIN,
        about="The sequence starts from its first number until a later revision sets "
        f"{key.name} after the existing rows: until then, no release may rely on it.",
    )  # fmt: skip
    yield RevisionPart(
        Change(Stage.STATE, [number], [number.reverse()], "number", key),
        Turn.VALIDATE, key.name, f"Set {key.name} after its rows",
        "Reads the rows for the highest number without blocking. The sequence does not see numbers "
        "that a release writes by itself afterwards.",
    )  # fmt: skip


def _unfilled(key: Key) -> str:
    return (
        f"Existing rows have no value in {key.name}: backfill them, in batches and outside of a "
        "revision, where they need one."
    )


def _values(change: Change) -> str:
    added = [each for each in change.ops if isinstance(each, AddEnumValueOp)]
    return f"Add {', '.join(each.value for each in added)} to {added[0].type_name}"


def _unused(name: str) -> str:
    return f"Before this runs: deploy a release that does not use {name}."
