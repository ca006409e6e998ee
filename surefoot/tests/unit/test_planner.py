"""Which revisions a change becomes, from changes and two catalogs alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic.operations import MigrateOperation, ops
from sqlalchemy import Integer

from surefoot.autogenerate import object_operations
from surefoot.autogenerate.change import Change, Stage, Turn
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.constraints import forbid_null
from surefoot.autogenerate.declared import parse_renames
from surefoot.autogenerate.identities import identity
from surefoot.autogenerate.indexes import index_of_key, using_index
from surefoot.autogenerate.object_operations import index_call
from surefoot.autogenerate.objects import with_diff
from surefoot.autogenerate.planner import RevisionPlan, changes_between, plan
from surefoot.autogenerate.questions import candidates
from surefoot.autogenerate.renames import Rename
from surefoot.autogenerate.rendering import as_sql
from surefoot.autogenerate.table_operations import (
    add_column,
    alter_column,
    create_table,
    drop_column,
)
from surefoot.autogenerate.titles import title
from surefoot.catalog import Catalog, Key, SchemaObject
from surefoot.catalog.kinds import Column, Constraint, Index, Table, View
from surefoot.environment.commandline import in_words

TABLE = Table(
    name="t", kind="table", persistence="permanent", partition_key=None, inherits=None,
    options=None, row_security=None, comment=None,
)  # fmt: skip
COLUMN = Column(
    table="t", name="c", type="integer", collation=None, not_null=False, default=None,
    generated=None, identity=None, comment=None,
)  # fmt: skip
INDEX = Index(
    table="t", name="ix", definition="CREATE INDEX ix ON t USING btree (c)", unique=False,
    valid=True, comment=None,
)  # fmt: skip
UNIQUE = Constraint(
    table="t", name="uq", type="unique", definition="UNIQUE (c)", validated=True, comment=None,
)  # fmt: skip
KEY = replace(UNIQUE, name="pk", type="primary key", definition="PRIMARY KEY (c)")
CHECK = replace(UNIQUE, name="ck", type="check", definition="CHECK (c > 0)")
FOREIGN = replace(
    UNIQUE, name="fk", type="foreign key", definition="FOREIGN KEY (c) REFERENCES t(id)"
)
IN_USE: Mapping[Key, SchemaObject] = {Key("table", "t"): TABLE, Key("column", "t.c"): COLUMN}
Objects = Mapping[Key, SchemaObject]


def of(item: Index | Constraint) -> Key:
    if isinstance(item, Index):
        return Key("index", item.name)
    return Key("constraint", f"t.{item.name}")


def made(item: Index | Constraint) -> Change:
    key = of(item)
    do, undo = object_operations.create(key, item), object_operations.drop(key, item)
    return Change(Stage.CREATE, do, [undo], "make", key)


def dropped(item: Index | Constraint) -> Change:
    key = of(item)
    do, undo = object_operations.drop(key, item), object_operations.create(key, item)
    return Change(Stage.DROP, [do], undo, "drop", key)


def column_added(name: str = "n") -> Change:
    add = ops.AddColumnOp("t", sa.Column(name, Integer))
    return Change(Stage.TABLES, [add], [add.reverse()], "make", Key("column", f"t.{name}"))


def planned(
    *changes: Change,
    forbidden: bool = False,
    database: Objects = IN_USE,
    models: Objects = IN_USE,
    uses: Mapping[Key, frozenset[Key]] | None = None,
    major: int = 18,
) -> list[RevisionPlan]:
    here = {**IN_USE, **database}
    columns = [each.key for each in changes if each.key and each.key.kind == "column"]
    named = {key: key.name.split(".") for key in columns}
    added = {key: replace(COLUMN, table=of, name=name) for key, (of, name) in named.items()}
    there = {**added, **IN_USE, **models}
    comparison = Comparison(
        Catalog(here, uses=uses or {}), Catalog(there, uses=uses or {}),
        major=major,
    )  # fmt: skip
    nulls = forbid_null(Key("column", "t.c"), comparison) if forbidden else ()
    return plan([*nulls, *changes], comparison)


def revised(
    database: Objects, models: Objects, uses: Mapping[Key, frozenset[Key]] | None = None
) -> list[RevisionPlan]:
    """The revisions between two catalogs, with the time of a release between them."""
    order = {"t": ("c",)}
    here, there = (Catalog(x, column_order=order, uses=uses or {}) for x in (database, models))
    comparison = Comparison(here, there)
    comparison = with_diff(comparison)
    return plan(changes_between(comparison), comparison)


def titles(revisions: list[RevisionPlan]) -> list[str | None]:
    return [each.title for each in revisions]


def test_an_index_is_built_after_the_rest_and_dropped_after_that() -> None:
    """Each alone: it runs outside a transaction."""
    gone = replace(INDEX, name="old", definition="CREATE INDEX old ON t USING btree (c)")
    found = planned(
        dropped(gone), column_added(), made(INDEX),
        database={of(gone): gone}, models={of(INDEX): INDEX},
    )  # fmt: skip
    assert titles(found) == [None, "Build ix on t", "Drop old"]
    assert [len(each.changes) for each in found] == [1, 1, 1]


def test_the_message_is_said_of_what_there_is() -> None:
    """Of the first revision where nothing is a mere change of the catalogue."""
    assert titles(planned(made(INDEX), models={of(INDEX): INDEX})) == [None]
    found = planned(made(UNIQUE), models={of(UNIQUE): UNIQUE})
    assert titles(found) == [None, "Create uq from its index"]


def test_a_check_is_added_and_then_proven() -> None:
    """Beside what else is a change of the catalogue."""
    found = planned(column_added(), made(CHECK), models={of(CHECK): CHECK})
    assert titles(found) == [None, "Validate ck of t"]
    assert [change.action for change in found[0].changes] == ["make", "promise"]


def test_a_demand_on_the_release_names_all_that_it_is_about() -> None:
    """The demand is made once."""
    checks = [replace(CHECK, name=f"ck_{number}") for number in (1, 2, 3)]
    (found,) = planned(*map(dropped, checks), database={of(each): each for each in checks})
    assert found.about == (
        "Before this runs: deploy a release that does not need the constraint t.ck_1, "
        "the constraint t.ck_2 or the constraint t.ck_3.",
    )


def test_a_foreign_key_comes_after_the_index_under_it() -> None:
    """The models declare one, and a DELETE would read the table without it."""
    found = planned(made(FOREIGN), made(INDEX), models={of(FOREIGN): FOREIGN, of(INDEX): INDEX})
    assert titles(found) == [None, "Add fk", "Validate fk of t"]


def test_a_foreign_key_comes_after_the_key_that_it_names() -> None:
    """And is proven after that."""
    found = planned(
        made(UNIQUE), made(FOREIGN),
        models={of(UNIQUE): UNIQUE, of(FOREIGN): FOREIGN},
        uses={of(FOREIGN): frozenset({of(UNIQUE)})},
    )  # fmt: skip
    assert titles(found) == [None, "Create uq from its index", "Add fk", "Validate fk of t"]


@pytest.mark.parametrize(
    ("major", "forbidding"),
    [
        (17, [None, "Validate that t.c has no null", "Forbid null in t.c"]),
        (18, [None, "Forbid null in t.c"]),
    ],
)
def test_a_primary_key_waits_for_its_columns(major: int, forbidding: list[str | None]) -> None:
    """Over one that may be null it would read the table."""
    found = planned(
        made(KEY), forbidden=True, models={of(KEY): KEY}, major=major,
        uses={of(KEY): frozenset({Key("column", "t.c")})},
    )  # fmt: skip
    first, *rest = forbidding
    assert titles(found) == [
        first, "Forbid new nulls in t.c", *rest, "Create pk from its index",
    ]  # fmt: skip


def test_what_goes_goes_last_and_each_table_by_itself() -> None:
    """A column is left out by a release before it is gone."""
    demanded = replace(COLUMN, not_null=True)
    tables: Objects = {Key("table", name): replace(TABLE, name=name) for name in "yx"}
    found = revised(
        {**IN_USE, **tables, Key("column", "t.c"): demanded},
        {Key("table", "t"): TABLE, of(INDEX): INDEX},
    )
    first, allowed, *rest = titles(found)
    assert (allowed, *rest) == ("Allow rows without t.c", "Drop t.c", "Drop x", "Drop y")
    assert [change.action for change in found[1].changes] == ["nullable"]
    assert first in (None, "Build ix on t")
    assert all("deploy a release" in each.about[0] for each in found[2:])


def test_what_is_made_with_its_table_stays_with_it() -> None:
    """Nobody uses it yet."""
    mine = replace(INDEX, table="new")
    found = planned(made(mine), models={of(mine): mine})
    assert titles(found) == [None]
    assert [change.action for change in found[0].changes] == ["make"]


def test_an_index_of_a_partitioned_table_is_built_concurrently() -> None:
    """On each of its partitions."""
    parted = {Key("table", "t"): replace(TABLE, kind="partitioned table")}
    found = planned(made(INDEX), database=parted, models={**parted, of(INDEX): INDEX})
    assert [change.action for each in found for change in each.changes] == ["build"]


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE INDEX ix ON t USING btree (c)",
        'CREATE UNIQUE INDEX ix ON t USING btree (c) INCLUDE (n, "Odd ""n") NULLS NOT DISTINCT',
        "CREATE INDEX ix ON t USING gin (data jsonb_path_ops) WHERE n > 2 AND s = 'a, (b'::text",
        "CREATE INDEX ix ON t USING btree (lower(a, ')'), (n * 3) DESC NULLS LAST)",
        "CREATE INDEX ix ON t USING hash (c) WITH (fillfactor='60')",
        "CREATE INDEX ix ON t USING btree (c) WHERE n > 2 AND s = ':a'",
    ],
)
def test_a_definition_becomes_the_operation_that_makes_it(definition: str) -> None:
    """Item for item: nothing of it is lost."""
    call = index_call(replace(INDEX, definition=definition))
    assert call is not None
    found = as_sql([call])
    same = definition.replace(" USING btree", "").replace("fillfactor='60'", "fillfactor = 60")
    assert found == (same,)


def test_what_no_operation_says_stays_a_statement() -> None:
    """So that nothing of it is lost either."""
    definition = "CREATE INDEX ix ON t USING btree (c) TABLESPACE fast"
    assert index_call(replace(INDEX, definition=definition)) is None


def test_the_index_of_a_key_has_all_of_it() -> None:
    """And the key is checked when it was."""
    timed = "UNIQUE NULLS NOT DISTINCT (a, b) INCLUDE (c) DEFERRABLE"
    key = replace(UNIQUE, definition=timed)
    index = index_of_key(key)
    assert index is not None
    definition = "CREATE UNIQUE INDEX uq ON t USING btree (a, b) INCLUDE (c) NULLS NOT DISTINCT"
    assert index.definition == definition
    assert as_sql([using_index(key, "ix")]) == (
        "ALTER TABLE t ADD CONSTRAINT uq UNIQUE USING INDEX ix DEFERRABLE",
    )
    assert index_of_key(replace(UNIQUE, definition="UNIQUE (a, b WITHOUT OVERLAPS)")) is None


def test_renames_are_told_by_their_form() -> None:
    """Moves and tables first, so that a column is named as its table is in the end."""
    assert parse_renames(["b.x:b.y", "a:b", "far.a:a", "c:far.c"], "public") == [
        Rename("schema", "a", "far", "public"),
        Rename("schema", "c", "public", "far"),
        Rename("table", "a", "a", "b"),
        Rename("column", "b", "x", "y"),
    ]


@pytest.mark.parametrize("column", ["b.x:b.y", "a.x:b.y", "a.x:a.y"])
def test_the_table_of_a_renamed_column_may_have_either_name(column: str) -> None:
    """Its former name is free, so that it cannot be another table."""
    renamed = [Rename("table", "a", "a", "b"), Rename("column", "b", "x", "y")]
    assert parse_renames([column, "a:b"], "public") == renamed
    swapped = parse_renames(["a.x:a.y", "a:b", "b:a"], "public")
    assert swapped[-1] == Rename("column", "a", "x", "y")


def test_a_type_that_something_stands_on_is_changed_in_place() -> None:
    """With a word about what it costs."""
    wide, key = replace(COLUMN, type="bigint"), Key("column", "t.c")
    view = View(name="v", definition="SELECT", columns=("c",), options=None, comment=None)
    there: Objects = {**IN_USE, Key("view", "v"): view}
    uses = {Key("view", "v"): frozenset({key})}
    (found,) = revised(there, {**there, key: wide}, uses)
    assert found.about[0].startswith("t.c cannot be changed without a rewrite")


def added_to(table: str) -> Change:
    add = ops.AddColumnOp(table, sa.Column("n", Integer))
    key = Key("column", f"{table}.n")
    return Change(Stage.TABLES, [add], [add.reverse()], "make", key)


OTHER: Objects = {Key("table", "u"): replace(TABLE, name="u")}


def test_a_revision_holds_one_table() -> None:
    """Who holds one while waiting for another may wait crosswise with a release."""
    found = planned(
        added_to("t"), added_to("t"), added_to("u"), database=OTHER, models=OTHER
    )  # fmt: skip
    assert titles(found) == [None, "Add u.n"]
    assert [len(each.changes) for each in found] == [2, 1]


VIEW = View(name="v", definition="SELECT", columns=("c",), options=None, comment=None)
SEEN = Key("view", "v")


def remade(stage: Stage) -> Change:
    add = ops.ExecuteSQLOp("SELECT 1")
    return Change(stage, [add], [add], "remake", SEEN)


def test_what_goes_and_comes_back_is_one_revision() -> None:
    """Although two are held: in between it would be missing, and the file says so."""
    there = {**OTHER, SEEN: VIEW}
    changes = remade(Stage.DROP), added_to("t"), added_to("u"), remade(Stage.CREATE)
    uses = {SEEN: frozenset(each.key for each in changes[1:3])}
    (found,) = planned(*changes, database=there, models=there, uses=uses)
    (told,) = found.about
    assert "the view v would be missing between two transactions" in told


def test_what_has_no_tie_to_an_object_that_goes_and_comes_back_is_apart_from_it() -> None:
    """Each in a revision of its own, before the object goes."""
    there = {**OTHER, SEEN: VIEW}
    changes = remade(Stage.DROP), added_to("t"), added_to("u"), remade(Stage.CREATE)
    uses = {SEEN: frozenset({changes[1].key})}
    apart, together = planned(*changes, database=there, models=there, uses=uses)
    assert [each.key.name for each in apart.changes] == ["u.n"]
    assert [each.key.name for each in together.changes] == ["v", "t.n", "v"]


def test_a_sequence_goes_on_after_the_rows_in_a_revision_of_its_own() -> None:
    """All rows may be read for it, which nobody is to wait for."""
    numbered = replace(COLUMN, identity="ALWAYS START WITH 1")
    key = Key("column", "t.c")
    changes = identity(Comparison(Catalog({key: COLUMN}), Catalog({key: numbered})), key)
    found = planned(*changes, models={key: numbered})
    assert titles(found) == [None, "Set t.c after its rows"]


WIDE = replace(COLUMN, type="bigint", default="1")


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        (create_table(Catalog(IN_USE, column_order={"t": ("c",)}), "t", ()), "add table t"),
        (add_column(COLUMN, Catalog(IN_USE)), "add column t.c"),
        ([drop_column(COLUMN)], "remove column t.c"),
        (alter_column(COLUMN, WIDE, Catalog(IN_USE)), "modify type and default of t.c"),
        ([index_call(INDEX)], "add index t.ix"),
        ([object_operations.drop(of(CHECK), CHECK)], "remove constraint t.ck"),
        (object_operations.create(of(FOREIGN), FOREIGN), "add foreign key t.fk"),
    ],
)
def test_a_check_says_each_operation_in_words(
    operations: list[MigrateOperation], said: str
) -> None:
    """With the table, whatever the order of the arguments."""
    assert [in_words(each.to_diff_tuple()) for each in operations] == [said]


def test_twice_the_tables_take_twice_the_work() -> None:
    """Of the plan and the question after renames: nothing looks at all tables for each of them."""
    few, many = (_calls(_schema(tables, 5), _schema(tables, 6)) for tables in (40, 80))
    assert many < 2.5 * few


def _schema(tables: int, columns: int) -> Catalog:
    objects: dict[Key, SchemaObject] = {}
    order = {f"t{n}": tuple(f"c{column}" for column in range(columns)) for n in range(tables)}
    for table, names in order.items():
        objects[Key("table", table)] = replace(TABLE, name=table)
        objects[Key("constraint", f"{table}.pk")] = replace(KEY, table=table)
        for name in names:
            objects[Key("column", f"{table}.{name}")] = replace(COLUMN, table=table, name=name)
    return Catalog(objects, column_order=order)


def _calls(database: Catalog, models: Catalog) -> int:
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    comparison = Comparison(database, models, major=18)
    sys.setprofile(counted)
    try:
        comparison = with_diff(comparison)
        plan(changes_between(comparison), comparison)
        list(candidates(comparison))
    finally:
        sys.setprofile(None)
    return count


def test_a_title_says_once_what_comes_again() -> None:
    """Dropped and created in one revision, an object is replaced."""
    gone, comes = (Change(Stage.STATE, [], [], each, of(FOREIGN)) for each in ("drop", "make"))
    other = Change(Stage.STATE, [], [], "drop", of(INDEX))
    assert title([gone, comes, other]) == "Replace the constraint t.fk, drop the index ix"
    named = Change(Stage.STATE, [], [], "make", of(FOREIGN)).at(Turn.MAIN, "", "Add fk")
    assert title([gone, named, other]) == "Replace the constraint t.fk, drop the index ix"
    assert title([gone, other]) == "Drop the constraint t.fk, drop the index ix"
    more = [Change(Stage.STATE, [], [], "drop", each) for each in (of(UNIQUE), of(CHECK))]
    assert title([other, *more]) == "Drop the index ix, drop the constraints t.uq, t.ck"
    assert title([Change(Stage.STATE, [], [])] * 2) == "Change a table"
