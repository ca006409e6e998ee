"""The project's filters and comparisons, asked as Alembic asks them.

    include_name      every table, column, index and key of the database, by its name
    include_object    tables and columns; indexes and keys that differ
    compare_type      columns of both sides whose types differ; so compare_server_default

Nobody is asked of Surefoot's own tables. An object that is left out stays as the database has it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.exc import NoSuchTableError

from surefoot.autogenerate.naming import temporary_name
from surefoot.catalog import Catalog, Key, SchemaObject
from surefoot.catalog.kinds import Column, Constraint, Index, table_of
from surefoot.catalog.model_names import member_name
from surefoot.catalog.normal_form import same_default
from surefoot.frozen import dataclass
from surefoot.quoting import cut, in_schema, own_name, schema_of, shown

# As Alembic calls them; it asks nobody of other constraints.
_KINDS: Mapping[type, str] = {Column: "column", Index: "index"}
_KEYS = {"unique": "unique_constraint", "foreign key": "foreign_key_constraint"}
_Item = sa.Column[Any] | sa.Index | sa.Constraint


@dataclass(frozen=True)
class Filters:
    """The callables of one project, and the tables as its models declare them."""

    context: AutogenContext
    given: Mapping[str, Any]
    declared: Mapping[str, sa.Table]
    # The schemas that are compared beside the default one.
    beside: Sequence[str] = ()
    # The tables of the database that were asked for.
    reflected: sa.MetaData = field(default_factory=sa.MetaData)

    def tables(self, exclude: Collection[str]) -> Iterator[str]:
        """The tables that are left out beside these."""
        assert self.context.inspector is not None
        there = {
            in_schema(schema, name)
            for schema in (None, *self.beside)
            for name in self.context.inspector.get_table_names(schema)
        } - {*exclude}
        for name in sorted(there | {*self.declared}):
            ours = self.declared.get(name)
            theirs = self._reflected(name) if name in there and self._asks_objects else None
            if (name in there and not self._sees(name, "table")) or not self._includes(
                name, "table", ours, theirs
            ):
                yield name

    def applied(self, models: Catalog, database: Catalog) -> Catalog:
        """The models with what is left out, and what is not compared, as the database has it."""
        left = {*self._left_out(models, database)}
        left |= models.users_of(*(key for key in left if key not in database.objects))
        models = models.with_objects_of(database, left)
        columns = {
            key: self._compared(column, found)
            for key, column in models.each(Column)
            if (found := database.find(Column, key))
        }
        return replace(models, objects={**models.objects, **columns})

    def spelled(self) -> Iterator[tuple[Key, str]]:
        """The types of columns as `render_item` spells them, also under a temporary name."""
        render = self.given.get("render_item", lambda *_: False)
        for owner, table in self.declared.items():
            for column in table.columns:
                text = render("type", column.type, self.context)
                if text is not False:
                    own = cut(column.name)
                    for name in (own, temporary_name(own)):
                        yield Key("column", f"{owner}.{name}"), text

    def _left_out(self, models: Catalog, database: Catalog) -> Iterator[Key]:
        for key in sorted({*models.objects, *database.objects}):
            before, after = database.objects.get(key), models.objects.get(key)
            item = after or before
            of_key = item.type if isinstance(item, Constraint) else ""
            table, kind = table_of(item) or "", _KINDS.get(type(item)) or _KEYS.get(of_key)
            if kind is None or table not in self.declared or item is None:
                continue
            if before is not None and not self._sees(item.name, kind, table):
                yield key
            elif self._asks_objects and (kind == "column" or before != after):
                ours = after and self._member(self.declared[table], after)
                theirs = before and self._member(self._reflected(table), before)
                if (ours is not None or theirs is not None) and not self._includes(
                    item.name, kind, ours, theirs
                ):
                    yield key

    def _compared(self, column: Column, found: Column) -> Column:
        """The column with the type and the default of the database, where they are not compared."""
        retyped = (column.type, column.collation) != (found.type, found.collation)
        if retyped and self._ignores("compare_type", column, found):
            column = replace(column, type=found.type, collation=found.collation)
        if column.default != found.default and (
            same_default(column.default, found.default)
            or self._ignores("compare_server_default", column, found)
        ):
            column = replace(column, default=found.default)
        return column

    def _ignores(self, option: str, column: Column, found: Column) -> bool:
        given = self.given.get(option, True)
        if not callable(given):
            return not given
        ours: Any = self._member(self.declared.get(column.table), column)
        theirs: Any = self._member(self._reflected(column.table), column)
        if ours is None or theirs is None:
            return False
        values: tuple[Any, ...] = (theirs.type, ours.type)
        if option == "compare_server_default":
            values = (found.default, ours.server_default, column.default)
        said = given(self.context.migration_context, theirs, ours, *values)
        return said is not None and not said

    @property
    def _asks_objects(self) -> bool:
        return "include_object" in self.given

    def _sees(self, name: str, kind: Any, table: str | None = None) -> bool:
        parents: Any = {"schema_name": schema_of(table or name)}
        parents |= {"table_name": own_name(table)} if table else {}
        return self.context.run_name_filters(own_name(name), kind, parents)

    def _includes(self, name: str, kind: Any, ours: Any, theirs: Any) -> bool:
        """The answer for an object of the models, or of the database where they have none."""
        item, other = (theirs, None) if ours is None else (ours, theirs)
        return self.context.run_object_filters(item, own_name(name), kind, ours is None, other)

    def _reflected(self, name: str | None) -> sa.Table | None:
        """A table of the database as SQLAlchemy reflects it; None where it cannot."""
        assert self.context.inspector is not None
        if name is None:
            return None
        if shown(name) not in self.reflected.tables:
            table = sa.Table(own_name(name), self.reflected, schema=schema_of(name))
            try:
                self.context.inspector.reflect_table(table, include_columns=None)
            except NoSuchTableError:
                self.reflected.remove(table)
                return None
        return self.reflected.tables[shown(name)]

    def _member(self, table: sa.Table | None, item: SchemaObject) -> _Item | None:
        """The column, index or key of a table that has the name of an object.

        A key without a name of its own is known by the one that PostgreSQL gives it.
        """
        if table is None:
            return None
        members: Iterable[Any] = table.constraints
        if isinstance(item, Column | Index):
            members = table.columns if isinstance(item, Column) else table.indexes
        own = own_name(item.name)
        return next((each for each in members if own in self._names(each)), None)

    def _names(self, member: Any) -> tuple[str, ...]:
        named = member_name(self.context.dialect, member)
        if named is not None:
            return (named,)
        columns = "_".join(column.name for column in member.columns)
        return tuple(f"{member.table.name}_{columns}_{end}" for end in ("key", "fkey"))
