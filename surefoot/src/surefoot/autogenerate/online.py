"""Divides a change of a table in use into parts that block neither reads nor writes for long.

Constraints are added NOT VALID in one revision and validated in another; indexes are built
concurrently. Objects that the running release may still use are dropped last.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from alembic.operations import ops
from sqlalchemy import ForeignKeyConstraint

from surefoot.autogenerate import domains
from surefoot.autogenerate.allowances import unavoidable
from surefoot.autogenerate.change import REWRITE, Allowance, Change, RevisionPart, Stage, Turn
from surefoot.autogenerate.column_swap import swap
from surefoot.autogenerate.columns import fills_rows
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.constraints import constraint_parts, dropped_column, forbid_null
from surefoot.autogenerate.domains import checked_domain
from surefoot.autogenerate.enums import used_by
from surefoot.autogenerate.indexes import can_swap, index_of, swap_index
from surefoot.autogenerate.objects import ROUTINES, VIEWS
from surefoot.autogenerate.renames import rename_parts
from surefoot.autogenerate.rendering import (
    BuildIndex,
    ContinueSequence,
    drop_index,
    sql,
)
from surefoot.catalog import Key, SchemaObject, statements
from surefoot.catalog.kinds import Column, Constraint, Index, Sequence, TableObject
from surefoot.catalog.widening import needs_no_rewrite
from surefoot.operations.enums import AddEnumValueOp

_VALUE = (
    "A release knows one of the two names, and fails on the other. Before this runs: have the next "
    "release ready, and replace the running one at the same moment. If that is not possible: add "
    "the new value, let the releases write it, change the rows in batches, and remove the old "
    "value in a contract revision."
)
_UNFILLED = (
    "Existing rows have no value in {}: backfill them, in batches and outside of a revision, where "
    "they need one."
)
_UNUSED = "Before this runs: deploy a release that does not use {}."


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
        table = str(getattr(operation, "table_name", ""))
        values = [each for each in change.ops if isinstance(each, AddEnumValueOp)]
        if change.action == "rename" and key is not None and key.kind in ("table", "column"):
            yield from rename_parts(change, key, covered=self.only_tables_renamed)
        elif change.action == "rename" and key is not None and key.kind != "enum":
            allow = unavoidable("avoid-renaming") if key.kind == "sequence" else ()
            yield RevisionPart(change, Turn.RENAME, allow=allow)
        elif values:
            title = f"Add {', '.join(each.value for each in values)} to {values[0].type_name}"
            yield RevisionPart(change, Turn.VALUES, "", title)
        elif getattr(operation, "schema", None) is not None or key is None:
            yield RevisionPart(change, Turn.MAIN)
        elif isinstance(operation, ops.DropTableOp):
            about = _UNUSED.format(f"the table {table}")
            yield RevisionPart(change, Turn.TABLES, table, f"Drop {table}", about)
        elif isinstance(operation, ops.DropColumnOp) and change.action != "remake":
            yield from dropped_column(change, key, self.comparison)
        elif isinstance(operation, ops.CreateTableOp):
            refers = any(
                isinstance(item, ForeignKeyConstraint)
                and item.referred_table.name in self.comparison.kept_tables
                for item in operation.columns
            )
            allow = unavoidable("avoid-reference-with-its-column") if refers else ()
            yield RevisionPart(change, Turn.MAIN, allow=allow)
        elif change.action == "retype":
            found, expected = self.comparison.pair(key)
            about = "" if needs_no_rewrite(found.type, expected.type) else REWRITE
            written = about and self.comparison.is_in_use(table)
            allow = unavoidable("avoid-type-change") if written else ()
            yield RevisionPart(change, Turn.MAIN, about=about, allow=allow)
        elif change.action == "rebuild":
            name = key.name.rpartition(".")[2]
            yield RevisionPart(change, Turn.INDEX, name, f"Rebuild {name}")
        elif change.action == "not null":
            yield from forbid_null(change, key, self.comparison)
        elif change.action == "swap":
            yield from swap(key, self.comparison)
        else:
            yield from self._of_object(change, key)

    def _of_object(self, change: Change, key: Key) -> Iterator[RevisionPart]:
        item = self._of(key)
        if change.action == "comment" or (change.action == "change" and key.kind != "domain"):
            yield RevisionPart(change, Turn.MAIN)
        elif isinstance(item, TableObject) and item.table in self.comparison.gone_tables:
            yield _with_its_table(change, item)
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
        elif change.action == "default" and key not in self.comparison.database.objects:
            yield RevisionPart(change, Turn.MAIN, about=_UNFILLED.format(key.name))
        elif key.kind == "index":
            yield from self._index(change, key)
        elif key.kind == "constraint":
            yield from constraint_parts(change, key, self.comparison, self.moved)
        elif self._can_wait(change, key):
            name = f"the {key.kind} {key.name}"
            about = _UNUSED.format(name)
            yield RevisionPart(change, Turn.CONTRACT, "", f"Drop {name}", about)
        else:
            yield RevisionPart(change, Turn.MAIN)

    def _type(self, change: Change, key: Key) -> Iterator[RevisionPart]:
        if key.kind == "domain" and change.action in ("make", "change"):
            parts = domains.made if change.action == "make" else domains.changed
            yield from parts(change, key, self.comparison)
        elif (key.kind, change.action) == ("enum", "rename"):
            allow = unavoidable("avoid-renaming-an-enum-value")
            yield RevisionPart(change, Turn.MAIN, about=_VALUE, allow=allow)
        else:
            used = change.action == "replace" and used_by(self.comparison, key)
            allow = unavoidable("avoid-type-change") if used else ()
            yield RevisionPart(change, Turn.MAIN, allow=allow)

    def _of(self, key: Key) -> SchemaObject | None:
        """The object of the models, or else of the database."""
        models, database = self.comparison.models.objects, self.comparison.database.objects
        return models.get(key) or database.get(key)

    def _writes_rows(self, key: Key) -> bool:
        """Whether adding the column rewrites the table."""
        column = self.comparison.models.one(Column, key)
        writes = fills_rows(column) or checked_domain(self.comparison, key)
        return writes and self.comparison.is_in_use(column.table)

    def _number(self, change: Change, key: Key) -> ContinueSequence | None:
        """The operation that sets a sequence after the rows, where the change ends with one."""
        item = self._of(key)
        owner = item.owned_by or "" if isinstance(item, Sequence) else ""
        in_use = self.comparison.is_in_use(owner.rpartition(".")[0])
        if change.action != "identity" and not (change.action == "make" and in_use):
            return None
        return change.ops[-1] if isinstance(change.ops[-1], ContinueSequence) else None

    def _written_for(self, key: Key) -> tuple[Allowance, ...]:
        column = self.comparison.models.one(Column, key)
        if column.identity:
            return unavoidable("avoid-identity-column")
        return unavoidable(
            "avoid-stored-generated-column" if column.generated else "avoid-volatile-default"
        )

    def _can_wait(self, change: Change, key: Key) -> bool:
        """Whether the dropped object blocks no other change."""
        return (
            (change.action, change.stage) == ("drop", Stage.DROP)
            and key not in self.comparison.models.objects
            and key.kind in (*VIEWS, *ROUTINES, "trigger")
            and not any(key in self.comparison.database.users_of(each) for each in self.moved)
        )

    def _index(self, change: Change, key: Key) -> Iterator[RevisionPart]:
        leaving = change.stage in (Stage.DROP, Stage.CLEAN)
        database, models = self.comparison.database, self.comparison.models
        item = (database if leaving else models).one(Index, key)
        made = change.undo if leaving else change.ops
        index = made[0] if made and isinstance(made[0], ops.CreateIndexOp) else index_of(item)
        view = Key("materialized view", item.table)
        if leaving and view in database.objects:
            # Dropped with the view.
            without = Change(change.stage, [], change.undo, change.action, key)
            if view in self.moved or view not in models.objects:
                turn = Turn.MAIN if view in self.moved else Turn.CONTRACT
                yield RevisionPart(without, turn)
                return
        if not self.comparison.is_in_use(item.table) or index is None:
            yield RevisionPart(change, Turn.MAIN)
            return
        if can_swap(key, self.comparison, self.moved):
            if not leaving:
                yield from swap_index(key, index, self.comparison)
            return
        name, build, unbuild = item.name, BuildIndex(index), drop_index(item.name)
        said, unsaid = (
            [sql(statements.comment(key, each))] for each in (item, replace(item, comment=None))
        )
        if leaving:
            if item.comment:
                yield RevisionPart(Change(change.stage, unsaid, said, "comment", key), Turn.BEFORE)
            gone = Change(change.stage, [unbuild], [build], "unbuild", key)
            again = key in models.objects
            about = f"Until {name} is built again, queries run without it." if again else ""
            yield RevisionPart(gone, Turn.UNINDEX, name, f"Drop {name}", about)
        else:
            there = Change(change.stage, [build], [unbuild], "build", key)
            yield RevisionPart(there, Turn.INDEX, name, f"Build {name} on {item.table}")
            if item.comment:
                yield RevisionPart(Change(change.stage, said, unsaid, "comment", key), Turn.KEYS)


def _with_its_table(change: Change, item: TableObject) -> RevisionPart:
    if not change.ops:
        return RevisionPart(change, Turn.TABLES, item.table)
    if not isinstance(item, Constraint) or item.type != "foreign key":
        return RevisionPart(change, Turn.CONTRACT)
    return RevisionPart(change, Turn.UNREFER, item.name, f"Drop {item.name} of {item.table}")


def _numbered(change: Change, key: Key, number: ContinueSequence) -> Iterator[RevisionPart]:
    """A sequence, and in another revision its first number, which may take a scan."""
    begun = Change(change.stage, change.ops[:-1], change.undo, change.action, key)
    about = (
        f"The sequence starts from its first number until a later revision sets {key.name} after "
        "the existing rows: until then, no release may rely on it."
    )
    yield RevisionPart(begun, Turn.MAIN, about=about)
    numbered = Change(Stage.STATE, [number], [number.reverse()], "number", key)
    about = (
        "Reads the rows for the highest number without blocking. The sequence does not see numbers "
        "that a release writes by itself afterwards."
    )
    title = f"Set {key.name} after its rows"
    yield RevisionPart(numbered, Turn.VALIDATE, key.name, title, about)
