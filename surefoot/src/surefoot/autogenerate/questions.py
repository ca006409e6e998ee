"""The questions before something is dropped, asked on stderr and in the revision that drops it.

A table's model may exist, and only not be imported. A drop and an add may be a rename or a move.
"""

import itertools
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import ops

from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.indexes import columns_of_key, is_primary
from surefoot.autogenerate.object_operations import refers_to
from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import Column, Constraint
from surefoot.frozen import dataclass
from surefoot.quoting import own_name, schema_of, shown
from surefoot.wording import counted

# Folders of other people's code, and of revisions, which name tables that are gone.
_PASSED_OVER = re.compile(r"^\.|^(?:__pycache__|node_modules|site-packages|venv|versions)$")
_MOST_FILES = 5_000


def ask(questions: Iterable[str]) -> None:
    """Write the questions to stderr."""
    for each in questions:
        sys.stderr.write(f"?   {shown(each)}\n")


def about_tables(tables: Collection[str], folder: Path) -> Iterator[str]:
    """The question about all dropped tables, and the files below the folder that declare one."""
    if not tables:
        return
    yield (
        f"{counted(len(tables), 'table', 'is/are')} dropped, because there is no model: "
        f"{', '.join(sorted(map(shown, tables)))}; if a model is only not imported, delete the new "
        "revisions and import it"
    )
    for table, path in sorted(_declared(tables, folder).items()):
        yield f"{table} is declared in {os.path.relpath(path)}, which is not imported"


def doubt(table: str) -> str:
    """The warning in the revision that drops a table."""
    return (
        f"No model has the table {table}. If its model is only not imported, this drops its data: "
        "delete this revision instead."
    )


def _declared(tables: Collection[str], folder: Path) -> Mapping[str, Path]:
    """The files that declare one of the tables and are not imported."""
    by_name = {own_name(each): shown(each) for each in tables}
    names = "|".join(map(re.escape, by_name))
    declares = re.compile(rf"(?:__tablename__[^=\n]*=|\bTable\()\s*[\"']({names})[\"']")
    files = (getattr(each, "__file__", None) for each in [*sys.modules.values()])
    known = {os.path.realpath(each) for each in files if each}
    found: dict[str, Path] = {}
    for path in _sources(folder):
        if os.path.realpath(path) not in known:
            with suppress(OSError):  # such as a link that leads nowhere
                text = path.read_text("utf-8", errors="replace")
                found |= dict.fromkeys(declares.findall(text), path)
    return {by_name[name]: path for name, path in found.items()}


def _sources(folder: Path) -> Iterator[Path]:
    count = 0
    for here, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if not _PASSED_OVER.search(each)]
        for name in files:
            if name.endswith(".py") and (count := count + 1) <= _MOST_FILES:
                yield Path(here, name)


@dataclass(frozen=True)
class Candidate:
    old: str
    new: str

    @property
    def declared(self) -> str:
        """The argument of `-x rename=` that declares it as a rename."""
        return f"{self.old}:{self.new}"

    def question(self) -> str:
        return (
            f"{self.old} is dropped and {self.new} added; if that is a rename, delete the new "
            "revisions and run\n"
            f"  alembic -x rename={self.declared} revision --autogenerate "
            f'-m "Rename {self.old} to {self.new}"'
        )

    def doubt(self) -> str:
        return (
            f"If {self.old} was renamed to {self.new}, this drops its data: declare the rename "
            f"with -x rename={self.declared} instead."
        )


@dataclass(frozen=True)
class Move:
    """A column that goes, and an equal one of another table, which a foreign key joins to it."""

    old: str
    new: str

    def question(self) -> str:
        return (
            f"{self.old} is dropped and {self.new} added; if its values belong there, copy them in "
            f"a backfill that the revision which drops {self.old} requires"
        )

    def doubt(self) -> str:
        return (
            f"If the values of {self.old} belong in {self.new}, this drops them: copy them before, "
            "in a backfill that requires_backfill names here."
        )


def moves(comparison: Comparison) -> Iterator[Move]:
    """The columns that may have moved to another table; those of a primary key number its rows."""
    database, models = comparison.database, comparison.models
    joins = {
        pair
        for _, each in models.each(Constraint)
        if (other := refers_to(each))
        for pair in ((each.table, other), (other, each.table))
    }
    for table, other in sorted(joins):
        if table not in comparison.kept_tables or table == other:
            continue
        there, keys = models.of_table(Column, other), database.of_table(Constraint, table).values()
        numbers = {name for each in keys if is_primary(each) for name in columns_of_key(each)}
        for name, old in sorted(database.of_table(Column, table).items()):
            new, names = there.get(name), (f"{table}.{name}", f"{other}.{name}")
            is_gone = Key("column", names[0]) not in models.objects and name not in numbers
            if new is None or not is_gone or Key("column", names[1]) in database.objects:
                continue
            if new.type == old.type and new.default is None:
                yield Move(*map(shown, names))


def candidates(comparison: Comparison) -> Iterator[Candidate]:
    """The columns of one type, the tables of equal columns, those of one name in two schemas."""
    database, models = comparison.database, comparison.models
    for table in sorted(comparison.kept_tables):
        before, after = database.of_table(Column, table), models.of_table(Column, table)
        gone = [each for each in before.values() if each.name not in after]
        come = [each for each in after.values() if each.name not in before]
        for old, new in itertools.product(gone, come):
            if old.type == new.type:
                yield Candidate(shown(f"{table}.{old.name}"), shown(f"{table}.{new.name}"))
    tables = sorted(comparison.gone_tables), sorted(comparison.new_tables)
    for old_table, new_table in itertools.product(*tables):
        is_moved = own_name(old_table) == own_name(new_table)
        stays = schema_of(old_table) == schema_of(new_table)
        if is_moved or (stays and _columns(database, old_table) == _columns(models, new_table)):
            yield Candidate(shown(old_table), shown(new_table))


def answered(comparison: Comparison, denied: set[Candidate]) -> Candidate | None:
    """The first one that the person at the terminal calls a rename; `denied` gets the others."""
    for each in candidates(comparison):
        if each not in denied:
            sys.stderr.write(
                f"?   {each.old} is dropped and {each.new} added. Is that a rename? [y/N] "
            )
            sys.stderr.flush()
            if sys.stdin.readline().strip().lower() in ("y", "yes"):
                return each
            denied.add(each)
    return None


def candidates_of(operations: ops.UpgradeOps, context: MigrationContext) -> Iterator[Candidate]:
    """The same for columns that Alembic found, where the catalogs were not compared."""
    for table in operations.ops:
        if not isinstance(table, ops.ModifyTableOps):
            continue
        gone = [each.to_column(context) for each in table.ops if isinstance(each, ops.DropColumnOp)]
        come = [each.column for each in table.ops if isinstance(each, ops.AddColumnOp)]
        for old, new in itertools.product(gone, come):
            if old.type.compile(context.dialect) == new.type.compile(context.dialect):
                name = table.table_name
                yield Candidate(f"{name}.{old.name}", f"{name}.{new.name}")


def _columns(catalog: Catalog, table: str) -> set[tuple[str, str]]:
    return {(name, column.type) for name, column in catalog.of_table(Column, table).items()}
