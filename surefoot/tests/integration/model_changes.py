"""Changes of models, each as one function that declares the models before and after.

Every change is tried in both directions, so that what is added in the one is dropped in the other.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version as metadata_version
from typing import Any

from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Sequence,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    CIDR,
    DOMAIN,
    INET,
    INT8RANGE,
    JSON,
    JSONB,
    OID,
    TIMESTAMP,
    UUID,
    ExcludeConstraint,
)
from sqlalchemy.types import UserDefinedType

from harness.generation import ddl
from harness.server import PG_MAJOR

Change = Callable[[MetaData, bool], object]
CHANGES: list[Change] = []
# One of each family; all of them together take a minute.
QUICK = {
    "table_added",
    "index_added",
    "enum_value_added_and_used",
}


def change(function: Change) -> Change:
    CHANGES.append(function)
    return function


def since(major: int) -> Callable[[Change], Change]:
    """A change that only servers from this version on have."""
    return change if major <= PG_MAJOR else lambda function: function


def things(metadata: MetaData, *items: Any, **options: Any) -> Table:
    """A table with a key, a name and what is handed in."""
    return Table(
        "things",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("name", Text, nullable=False),
        *items,
        **options,
    )


def state(*labels: str, **options: Any) -> Enum:
    return Enum(*labels, name="state", **options)


# -- tables and columns --------------------------------------------------------------------------


@change
def table_added(m: MetaData, new: bool) -> None:
    things(m)
    if new:
        Table(
            "parts",
            m,
            Column("id", Integer, primary_key=True),
            Column("thing_id", ForeignKey("things.id", ondelete="CASCADE"), nullable=False),
            Column("code", String(30), server_default="x", comment="Its 'code': \\ and \""),
            Column("price", Numeric(12, 3), CheckConstraint("price > 0", name="price_positive")),
            Column("doubled", Numeric(12, 3), Computed("price * 2", persisted=True)),
            Column("data", JSONB, server_default=text("'{}'::jsonb")),
            Column("folded", Text(collation="C")),
            Column("span", INT8RANGE),
            UniqueConstraint("code", postgresql_nulls_not_distinct=True),
            UniqueConstraint("price", deferrable=True, initially="DEFERRED"),
            ExcludeConstraint(("span", "&&"), where=text("price > 1"), name="ex_parts_span"),
            Index(None, "data", postgresql_using="gin", postgresql_ops={"data": "jsonb_path_ops"}),
            Index("ix_parts_lower", func.lower(text("code")), postgresql_where=text("price > 2")),
            Index("ix_parts_wide", "thing_id", postgresql_include=["code"]),
            comment="A part of a thing",
        )


def measured(m: MetaData, *, nullable: bool) -> None:
    length = Computed("length(name)", persisted=False)
    things(m, Column("length", Integer, length, nullable=nullable))


@since(18)
def required_virtual_column_added(m: MetaData, new: bool) -> None:
    if new:
        measured(m, nullable=False)
    else:
        things(m)


@since(18)
def virtual_column_required(m: MetaData, new: bool) -> None:
    measured(m, nullable=not new)


@since(18)
def key_without_overlaps_added(m: MetaData, new: bool) -> None:
    spans = ("place", INT8RANGE), ("span", INT8RANGE)
    Table("stays", m, *(Column(name, kind, nullable=not new) for name, kind in spans))
    if new:
        key = "PRIMARY KEY (place, span WITHOUT OVERLAPS)"
        ddl(m, f"ALTER TABLE stays ADD CONSTRAINT pk_stays {key}")


@since(18)
def unique_becomes_one_without_overlaps(m: MetaData, new: bool) -> None:
    Table("stays", m, Column("place", INT8RANGE), Column("span", INT8RANGE))
    without = " WITHOUT OVERLAPS" if new else ""
    ddl(m, f"ALTER TABLE stays ADD CONSTRAINT uq_stays UNIQUE (place, span{without})")


class Several(UserDefinedType[Any]):
    """Multiranges of a range that only a statement makes."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "several"


@change
def range_and_its_multiranges_added(m: MetaData, new: bool) -> None:
    things(m, *([Column("many", Several())] if new else []))
    if new:
        made = "(subtype = float8, multirange_type_name = several)"
        ddl(m, f"CREATE TYPE span AS RANGE {made}", first=True)


@change
def tables_that_refer_to_each_other_added(m: MetaData, new: bool) -> None:
    if new:
        Table("a", m, Column("id", Integer, primary_key=True), Column("b_id", ForeignKey("b.id")))
        Table("b", m, Column("id", Integer, primary_key=True), Column("c_id", ForeignKey("c.id")))
        Table("c", m, Column("id", Integer, primary_key=True), Column("up", ForeignKey("c.id")))


@change
def table_that_refers_to_its_own_key_with_more_columns_added(m: MetaData, new: bool) -> None:
    if new:
        schema = f"{m.schema}." if m.schema else ""
        Table(
            "parts",
            m,
            Column("id", BigInteger, primary_key=True),
            Column("code", Integer),
            Column("up", Integer),
            UniqueConstraint("code", name="by_code", postgresql_include=["id"]),
            ForeignKeyConstraint(["up"], [f"{schema}parts.code"]),
        )


@change
def tables_in_a_circle_added(m: MetaData, new: bool) -> None:
    if new:
        Table(
            "a",
            m,
            Column("id", Integer, primary_key=True),
            Column("b_id", ForeignKey("b.id", use_alter=True)),
        )
        Table("b", m, Column("id", Integer, primary_key=True), Column("a_id", ForeignKey("a.id")))


def options(m: MetaData, **named: Any) -> dict[str, Any]:
    """Storage parameters of a table, which SQLAlchemy takes since 2.1."""
    if metadata_version("sqlalchemy") >= "2.1":
        return {"postgresql_with": named}
    listed = ", ".join(f"{name} = {value}" for name, value in named.items())
    table = f"{m.schema}.things" if m.schema else "things"
    ddl(m, f"ALTER TABLE {table} SET ({listed})")
    return {}


@change
def unlogged_table_with_options_added(m: MetaData, new: bool) -> None:
    if new:
        things(m, prefixes=["UNLOGGED"], **options(m, fillfactor=70))


@change
def partitioned_table_added(m: MetaData, new: bool) -> None:
    if new:
        Table(
            "events",
            m,
            Column("at", Date, primary_key=True),
            Column("id", Integer, primary_key=True),
            postgresql_partition_by="RANGE (at)",
        )


@change
def index_and_check_beside_a_new_table_added(m: MetaData, new: bool) -> None:
    if new:
        things(m, Column("size", Integer), CheckConstraint("size > 0", name="size"))
        ddl(m, "CREATE INDEX ix_beside ON things (name) INCLUDE (size)")
        ddl(m, "ALTER TABLE things ADD CONSTRAINT beside CHECK (name <> '') NOT VALID")


@change
def table_without_names_for_constraints_added(m: MetaData, new: bool) -> None:
    m.naming_convention = {}  # as SQLAlchemy's own default
    up = [ForeignKey("things.id")] if new else []
    things(m, Column("size", Integer), Column("up", BigInteger, *up))
    if new:
        Table(
            "parts",
            m,
            Column("id", Integer, primary_key=True),
            Column("thing_id", ForeignKey("things.id"), unique=True),
            Column("size", Integer, CheckConstraint("size > 0")),
            CheckConstraint("size < 9"),
        )


@change
def table_options_changed(m: MetaData, new: bool) -> None:
    things(m, **(options(m, fillfactor=70) if new else options(m, autovacuum_enabled="false")))


@change
def table_with_names_that_need_quotes_added(m: MetaData, new: bool) -> None:
    if new:
        Table(
            "Odd Table",
            m,
            Column("order", Integer, primary_key=True),
            Column("Mixed Case", Text, nullable=False),
            CheckConstraint("\"Mixed Case\" <> 'a:b'", name="odd"),
            Index("IX odd", "Mixed Case"),
        )


@change
def odd_and_long_names_changed(m: MetaData, new: bool) -> None:
    longest = "ü" * 31
    odd = Enum(*("a", "b", "c") if new else ("a", "c"), name='Odd: "kind" %')
    Table(
        'back\\slash "%"',
        m,
        Column("id", Integer, primary_key=True),
        Column("odd", odd),
        Column("odds", ARRAY(odd)),
        Column("long", Enum(*("b", "a") if new else ("a", "b"), name=longest)),
        Column(f"{longest}a", Integer, nullable=not new),
        Column(f"{longest}b", Integer, nullable=not new),
        Column(f"{longest}c", BigInteger if new else Integer),
    )


@change
def column_added(m: MetaData, new: bool) -> None:
    things(m, *([Column("size", Integer, comment="in bytes")] if new else []), Column("z", Text))


@change
def columns_added_with_all_they_can_have(m: MetaData, new: bool) -> None:
    columns = [
        Column("n", Integer, nullable=False, server_default=text("0")),
        Column("at", DateTime(timezone=True), server_default=func.now(), nullable=False),
        Column("up", ForeignKey("things.id")),
        Column("code", String(20), unique=True),
        Column("tag", Text, index=True),
        Column("is_new", Boolean, server_default=text("false"), nullable=False),
        Column("twice", Integer, Computed("n * 2", persisted=True)),
        Column("folded", Text(collation="C")),
        Column("js", JSON, server_default="{}"),
        Column("many", ARRAY(Integer), server_default=text("'{}'::integer[]")),
        CheckConstraint("n >= 0", name="n_not_negative"),
    ]
    things(m, *(columns if new else []))


@change
def serial_added(m: MetaData, new: bool) -> None:
    things(m)
    if new:
        Table("old", m, Column("id", Integer, primary_key=True, autoincrement=True))


@change
def key_widened(m: MetaData, new: bool) -> None:
    """With columns that refer to it: of its own table, a key, one that is wide already."""
    kind = BigInteger if new else Integer
    up: Column[int] = Column("up", ForeignKey("numbered.id"), index=True)
    Table("numbered", m, Column("id", kind, Identity(), primary_key=True), up)
    Table("parts", m, Column("id", ForeignKey("numbered.id"), primary_key=True))
    things(m, Column("number", BigInteger, ForeignKey("numbered.id"), unique=True))
    Table("serial", m, Column("id", kind, primary_key=True), Column("part_id", kind))


@change
def type_widened(m: MetaData, new: bool) -> None:
    things(m, Column("size", BigInteger if new else Integer, server_default=text("7")))


@change
def type_to_text_and_back(m: MetaData, new: bool) -> None:
    things(m, Column("code", Text if new else String(30), server_default="none", nullable=False))


@change
def type_that_needs_using(m: MetaData, new: bool) -> None:
    things(m, Column("code", Integer if new else Text, server_default=text("5" if new else "'5'")))


@change
def length_changed(m: MetaData, new: bool) -> None:
    things(m, Column("code", String(60 if new else 30)), Column("n", Numeric(10, 2 if new else 3)))


@change
def length_changed_under_an_index_and_a_check(m: MetaData, new: bool) -> None:
    items = [Index("ix_code", "code", unique=True), CheckConstraint("code <> 'x'", name="code")]
    things(m, Column("code", String(80 if new else 50)), *items)


@change
def array_type_changed(m: MetaData, new: bool) -> None:
    things(m, Column("codes", ARRAY(Integer if new else Text), server_default=text("'{1,2}'")))


@change
def type_changed_under_index_check_and_view(m: MetaData, new: bool) -> None:
    things(
        m,
        Column("size", BigInteger if new else Integer, server_default=text("0")),
        Column("doubled", Text, Computed("(size * 2)::text", persisted=True)),
        Index(None, "size"),
        Index("ix_big", text("(size * 3)"), postgresql_where=text("size > 10")),
        Index(None, "doubled"),
        CheckConstraint("size >= 0", name="size"),
    )
    ddl(m, "CREATE VIEW sizes AS SELECT id, size, doubled FROM things")
    ddl(m, "CREATE VIEW large AS SELECT id, size FROM sizes WHERE size > 100")
    ddl(m, "CREATE MATERIALIZED VIEW sums AS SELECT sum(size) AS total FROM large")
    ddl(m, "CREATE INDEX ix_sums ON sums (total)")
    ddl(m, NOTHING)
    ddl(
        m,
        "CREATE TRIGGER on_size BEFORE UPDATE OF size ON things FOR EACH ROW "
        "WHEN (old.size > new.size) EXECUTE FUNCTION nothing()",
    )


@change
def type_changed_under_index_check_and_key(m: MetaData, new: bool) -> None:
    """All of which can be made beside it."""
    things(
        m,
        Column("size", BigInteger if new else Integer, server_default=text("0"), nullable=False),
        Index(None, "size"),
        Index("ix_big", text("(size * 3)"), postgresql_where=text("size > 10")),
        CheckConstraint("size >= 0 OR name = 'size'", name="size"),
        UniqueConstraint("size", "id"),
    )


@change
def two_tables_changed(m: MetaData, new: bool) -> None:
    added = [Column("size", Integer), Index(None, "size"), CheckConstraint("size > 0", name="size")]
    kept: list[Any] = [Column("old", Text)]
    things(m, *(added if new else kept))
    others = [Column("thing_id", ForeignKey("things.id"), index=True), Column("code", Integer)]
    Table(
        "others",
        m,
        Column("id", BigInteger, Identity(), primary_key=True),
        *(others if new else [Column("code", BigInteger)]),
    )


@change
def columns_that_one_would_declare_otherwise_added(m: MetaData, new: bool) -> None:
    columns = [
        Column("at", DateTime()),
        Column("letter", CHAR(3)),
        Column("codes", ARRAY(String(20))),
        Column("n", BigInteger, Identity(), nullable=False),
    ]
    things(m, *(columns if new else []))


@change
def column_of_a_known_domain_added(m: MetaData, new: bool) -> None:
    email = DOMAIN("email", Text(), constraint_name="email_check", check=text("VALUE <> 'x'"))
    things(m, Column("mail", email), *([Column("other_mail", email)] if new else []))


@change
def partitioned_table_that_refers_added(m: MetaData, new: bool) -> None:
    things(m)
    if new:
        Table(
            "events",
            m,
            Column("at", Date, primary_key=True),
            Column("thing_id", ForeignKey("things.id"), primary_key=True, index=True),
            postgresql_partition_by="RANGE (at)",
        )


@change
def nullability_changed(m: MetaData, new: bool) -> None:
    things(m, Column("size", Integer, nullable=not new))


@change
def default_added(m: MetaData, new: bool) -> None:
    things(m, Column("size", Integer, server_default=text("1") if new else None))


@change
def default_changed(m: MetaData, new: bool) -> None:
    things(
        m,
        Column("tag", Text, server_default="it's" if new else "was"),
        Column("data", JSON, server_default='{"a": 1}' if new else "{}"),
        Column("at", DateTime(timezone=True), server_default=func.now() if new else None),
    )


@change
def comments_changed(m: MetaData, new: bool) -> None:
    things(
        m,
        Column("a", Text, comment="one" if new else "two"),
        Column("b", Text, comment='it\'s "one"' if new else None),
        comment="things" if new else None,
    )
    Table("other", m, Column("id", Integer, primary_key=True), comment="x" if new else "y")


@change
def collation_changed(m: MetaData, new: bool) -> None:
    things(
        m,
        Column("path", Text(collation="C" if new else None), server_default="/"),
        Column("code", String(20, collation="POSIX" if new else "C")),
        Index(None, "path"),
    )


@change
def identity_added(m: MetaData, new: bool) -> None:
    things(m, Column("n", BigInteger, *([Identity()] if new else []), nullable=False))


@change
def identity_on_a_nullable_column_added(m: MetaData, new: bool) -> None:
    things(m, Column("n", BigInteger, *([Identity()] if new else [])))


@change
def identity_changed(m: MetaData, new: bool) -> None:
    options: Any = {"always": True, "start": 5, "increment": 2, "cycle": True} if new else {}
    things(m, Column("n", BigInteger, Identity(**options)))


@change
def identity_of_a_wider_type(m: MetaData, new: bool) -> None:
    kind, down = (BigInteger, -(2**63)) if new else (Integer, -(2**31))
    things(
        m,
        Column("number", kind, Identity()),
        Column("down", kind, Identity(start=-1, increment=-1, minvalue=down, maxvalue=-1)),
    )
    Table("keyed", m, Column("id", kind, Identity(), primary_key=True))
    Table("user", m, Column("keyed_id", kind, ForeignKey("keyed.id")))


@change
def identity_in_place_of_a_default(m: MetaData, new: bool) -> None:
    extra: Any = {} if new else {"server_default": text("1")}
    things(m, Column("n", BigInteger, *([Identity()] if new else []), nullable=False, **extra))


@change
def computed_column_added(m: MetaData, new: bool) -> None:
    things(m, *([Column("upper", Text, Computed("upper(name)", persisted=True))] if new else []))


@change
def computed_expression_changed(m: MetaData, new: bool) -> None:
    made = "upper(name) || ':x'" if new else "lower(name)"
    things(
        m,
        Column("folded", Text, Computed(made, persisted=True), nullable=False, comment="folded"),
        Index(None, "folded"),
        CheckConstraint("folded <> ''", name="folded"),
        UniqueConstraint("folded", "id"),
    )
    ddl(m, "CREATE VIEW folds AS SELECT folded FROM things")


@change
def computed_column_becomes_ordinary(m: MetaData, new: bool) -> None:
    made = [] if new else [Computed("lower(name)", persisted=True)]
    things(m, Column("folded", Text, *made), Index(None, "folded"))


@change
def computed_column_in_place_of_a_serial(m: MetaData, new: bool) -> None:
    """The sequence would go with the column that owns it."""
    computed = [Column("n", Integer, Computed("id * 2", persisted=True))] if new else []
    things(m, *computed)
    if not new:
        ddl(m, "ALTER TABLE things ADD COLUMN n serial")


@change
def type_changed_under_a_new_computed_column(m: MetaData, new: bool) -> None:
    twice = [Column("twice", BigInteger, Computed("size * 2", persisted=True))]
    things(m, Column("size", BigInteger if new else Integer), *(twice if new else []))


@change
def lists_of_strings_in_each_place_added(m: MetaData, new: bool) -> None:
    """PostgreSQL writes them otherwise for `varchar` than for `text`."""
    listed = "code IN ('a', 'b')"
    items = [
        CheckConstraint(listed, name="code"),
        Index("ix_code", "id", postgresql_where=text(listed)),
        Column("is_known", Boolean, Computed(listed, persisted=True)),
        Column("kind", Enum("a", "b", native_enum=False, create_constraint=True, name="kind")),
    ]
    things(m, Column("code", String(10)), *(items if new else []))
    if new:
        ddl(m, f"CREATE VIEW coded AS SELECT id FROM things WHERE {listed}")


@change
def computed_column_type_changed(m: MetaData, new: bool) -> None:
    kind = Numeric(12, 3) if new else Numeric(10, 2)
    things(m, Column("share", kind, Computed("id / 3.0", persisted=True)))


# -- indexes and constraints ---------------------------------------------------------------------


@change
def index_added(m: MetaData, new: bool) -> None:
    indexes = [
        Index(None, "name"),
        Index("ix_pattern", "name", postgresql_ops={"name": "text_pattern_ops"}),
        Index("ix_lower", func.lower(text("name")), unique=True),
        Index("ix_desc", text("name DESC NULLS LAST"), "id"),
    ]
    things(m, *(indexes if new else []))


@change
def index_columns_changed(m: MetaData, new: bool) -> None:
    things(m, Index("ix", "name", "id") if new else Index("ix", "id", "name"))


@change
def index_becomes_unique(m: MetaData, new: bool) -> None:
    things(m, Index("ix", "name", unique=new))


@change
def index_expression_changed(m: MetaData, new: bool) -> None:
    things(m, Index("ix", func.upper(text("name")) if new else func.lower(text("name"))))


@change
def index_predicate_changed(m: MetaData, new: bool) -> None:
    things(m, Index("ix", "name", postgresql_where=text("id > 1") if new else text("id > 2")))


@change
def index_predicate_added(m: MetaData, new: bool) -> None:
    where: dict[str, Any] = {"postgresql_where": text("id > 1")} if new else {}
    things(m, Index("ix", "name", **where))


@change
def index_operator_class_changed(m: MetaData, new: bool) -> None:
    things(m, Index("ix", "name", postgresql_ops={"name": "text_pattern_ops"} if new else {}))


@change
def index_include_changed(m: MetaData, new: bool) -> None:
    things(m, Index("ix", "name", postgresql_include=["id"] if new else []))


@change
def index_method_changed(m: MetaData, new: bool) -> None:
    things(m, Index("ix", "name", postgresql_using="hash" if new else "btree"))


@change
def index_with_a_comment_changed(m: MetaData, new: bool) -> None:
    things(m, Index("ix", "name", *(["id"] if new else [])))
    ddl(m, f"COMMENT ON INDEX ix IS 'of {'both' if new else 'the name'}'")


@change
def index_options_changed(m: MetaData, new: bool) -> None:
    things(m, Index("ix", "name", postgresql_with={"fillfactor": 50 if new else 60}))


@change
def unique_added(m: MetaData, new: bool) -> None:
    things(m, *([UniqueConstraint("name")] if new else []))


@change
def unique_columns_changed(m: MetaData, new: bool) -> None:
    columns = ("name", "id") if new else ("name",)
    things(m, UniqueConstraint(*columns, name="uq_things"))


@change
def unique_options_changed(m: MetaData, new: bool) -> None:
    things(m, *([UniqueConstraint("name", name="uq", deferrable=True)] if new else []))
    if not new:
        ddl(m, "ALTER TABLE things ADD CONSTRAINT uq UNIQUE (name) INCLUDE (id)")


@change
def check_added(m: MetaData, new: bool) -> None:
    things(m, *([CheckConstraint("name <> ''", name="named")] if new else []))


@change
def check_changed(m: MetaData, new: bool) -> None:
    things(m, CheckConstraint("name <> 'a'" if new else "length(name) > 1 OR id = 2", name="named"))


@change
def foreign_key_added(m: MetaData, new: bool) -> None:
    things(m, Column("up", BigInteger, *([ForeignKey("things.id")] if new else [])))


@change
def foreign_key_changed(m: MetaData, new: bool) -> None:
    rules: Any = (
        {"ondelete": "CASCADE", "onupdate": "SET NULL"}
        if new
        else {"deferrable": True, "initially": "DEFERRED"}
    )
    things(m, Column("up", BigInteger, ForeignKey("things.id", **rules)))


@change
def foreign_key_to_a_new_index_added(m: MetaData, new: bool) -> None:
    items = [Index("ix_size", "size", unique=True)] if new else []
    things(m, Column("size", Integer), *items)
    up = [ForeignKey("things.size")] if new else []
    Table("parts", m, Column("id", Integer, primary_key=True), Column("size", Integer, *up))


@change
def primary_key_changed(m: MetaData, new: bool) -> None:
    Table(
        "pairs",
        m,
        Column("a", Integer, nullable=False),
        Column("b", Integer, nullable=not new),
        PrimaryKeyConstraint("a", "b") if new else PrimaryKeyConstraint("a"),
        UniqueConstraint("a"),
    )
    Table("users", m, Column("id", Integer, primary_key=True), Column("a", ForeignKey("pairs.a")))
    ddl(m, "CREATE VIEW pair_counts AS SELECT a, count(*) AS n FROM pairs GROUP BY a")


@change
def primary_key_of_another_column_and_name(m: MetaData, new: bool) -> None:
    name = "code" if new else "number"
    Table("pairs", m, Column(name, Text), PrimaryKeyConstraint(name, name=f"pk_by_{name}"))
    own: Column[str] = Column(f"pair_{name}", ForeignKey(f"pairs.{name}"))
    Table("users", m, Column("id", Integer, primary_key=True), own)


@change
def primary_key_sorted_otherwise_under_another_name(m: MetaData, new: bool) -> None:
    """A foreign key could use the index of either."""
    pair = ("b", "a") if new else ("a", "b")
    columns = (Column(each, Integer, autoincrement=False) for each in "ab")
    Table("pairs", m, *columns, PrimaryKeyConstraint(*pair, name="_".join(pair)))
    own = ForeignKeyConstraint(["a", "b"], ["pairs.a", "pairs.b"])
    Table("users", m, Column("a", Integer), Column("b", Integer), own)


@change
def numbered_key_becomes_a_text(m: MetaData, new: bool) -> None:
    Table("pairs", m, Column("a", Text if new else Integer, primary_key=True))


@change
def key_under_a_foreign_key_becomes_a_uuid(m: MetaData, new: bool) -> None:
    """No foreign key joins the old type of the one with the new type of the other."""
    kind: Any = UUID if new else Integer
    up: Column[Any] = Column("up", kind, ForeignKey("pairs.a"))
    Table("pairs", m, Column("a", kind, primary_key=True, autoincrement=False), up)
    own: Column[Any] = Column("a", kind, ForeignKey("pairs.a", ondelete="CASCADE"))
    Table("users", m, Column("id", Integer, primary_key=True), own)


@change
def primary_key_added(m: MetaData, new: bool) -> None:
    key = [PrimaryKeyConstraint("a")] if new else []
    Table("pairs", m, Column("a", Integer, nullable=False), *key)


@change
def key_under_a_foreign_key_changed(m: MetaData, new: bool) -> None:
    Table(
        "pairs",
        m,
        Column("a", Integer, nullable=False),
        Column("b", Integer, nullable=False),
        PrimaryKeyConstraint("a", name="pk"),
        UniqueConstraint(*("a", "b") if new else ("b", "a"), name="uq"),
    )
    Table(
        "users",
        m,
        Column("id", Integer, primary_key=True),
        Column("a", Integer),
        Column("b", Integer),
        ForeignKeyConstraint(["a", "b"], ["pairs.a", "pairs.b"], match="FULL"),
    )


@change
def key_with_columns_beside_it(m: MetaData, new: bool) -> None:
    key = [] if new else [PrimaryKeyConstraint("a", name="pk")]
    Table("pairs", m, Column("a", Integer, nullable=False), Column("b", Integer), *key)
    if new:
        ddl(m, "ALTER TABLE pairs ADD CONSTRAINT pk PRIMARY KEY (a) INCLUDE (b)")


@change
def table_with_a_key_with_columns_beside_it_added(m: MetaData, new: bool) -> None:
    if new:
        Table("pairs", m, Column("a", Integer, nullable=False), Column("b", Integer))
        ddl(m, "ALTER TABLE pairs ADD CONSTRAINT pk PRIMARY KEY (a) INCLUDE (b)")


@change
def exclusion_constraint_added(m: MetaData, new: bool) -> None:
    excluded = ExcludeConstraint(("span", "&&"), name="ex_span", using="gist")
    things(m, Column("span", INT8RANGE), *([excluded] if new else []))


@change
def exclusion_constraint_changed(m: MetaData, new: bool) -> None:
    operator = "&&" if new else "="
    things(m, Column("span", INT8RANGE), ExcludeConstraint(("span", operator), name="ex_span"))


# -- enums, domains, sequences -------------------------------------------------------------------


@change
def enum_added(m: MetaData, new: bool) -> None:
    things(m, *([Column("state", state("A", "it's"), server_default="A")] if new else []))


@change
def table_with_enum_added(m: MetaData, new: bool) -> None:
    if new:
        things(m, Column("state", state("A", "B")), Column("states", ARRAY(state("A", "B"))))


def _enum_from(m: MetaData, *labels: str) -> None:
    things(
        m,
        Column("state", state(*labels), server_default="B", nullable=False),
        Column("states", ARRAY(state(*labels))),
        Index("ix_state", "name", postgresql_where=text("state IN ('A', 'B')")),
        Index(None, "state"),
        CheckConstraint("state <> 'A' OR name <> ''", name="state"),
    )


@change
def enum_value_added_first(m: MetaData, new: bool) -> None:
    _enum_from(m, *(["Z"] if new else []), "A", "B")


@change
def enum_value_added_between(m: MetaData, new: bool) -> None:
    _enum_from(m, "A", *(["Z", "Y"] if new else []), "B")


@change
def enum_value_added_last(m: MetaData, new: bool) -> None:
    _enum_from(m, "A", "B", *(["Z"] if new else []))


@change
def enum_values_added_everywhere(m: MetaData, new: bool) -> None:
    _enum_from(m, *("U", "V", "A", "W", "B", "X") if new else ("A", "B"))


@change
def enum_value_added_and_used(m: MetaData, new: bool) -> None:
    things(
        m,
        Column(
            "state", state("A", "B", *(["C"] if new else [])), server_default="C" if new else "A"
        ),
        Index("ix", "name", postgresql_where=text("state = 'C'" if new else "state = 'A'")),
        *([CheckConstraint("state <> 'C' OR name <> ''", name="c")] if new else []),
    )


@change
def enum_value_renamed(m: MetaData, new: bool) -> None:
    labels = ("A", "Q", "C") if new else ("A", "B", "C")
    used = "Q" if new else "B"
    things(
        m,
        Column("state", state(*labels), server_default=used),
        Index("ix", "name", postgresql_where=text(f"state = '{used}'")),
    )


@change
def enum_values_reordered(m: MetaData, new: bool) -> None:
    _enum_from(m, *("B", "A") if new else ("A", "B"))


@change
def enum_values_exchanged(m: MetaData, new: bool) -> None:
    """One goes that is the default, one comes that is the new default."""
    labels = ("A", "Y", "Z") if new else ("A", "B")
    things(
        m,
        Column("state", state(*labels), server_default=labels[-1], nullable=new),
        Column("size", Integer, *([] if new else [CheckConstraint("size > 0", name="size")])),
        Index("ix", "name", postgresql_where=text(f"state = '{labels[-1]}'")),
    )
    ddl(m, "CREATE VIEW states AS SELECT state, count(*) AS n FROM things GROUP BY state")
    ddl(m, f"CREATE VIEW last AS SELECT name FROM things WHERE state = '{labels[-1]}'")


@change
def enum_under_views_functions_and_triggers_changed(m: MetaData, new: bool) -> None:
    labels = ("A", "B") if new else ("A", "X", "B")
    things(
        m,
        Column("state", state(*labels), server_default="A"),
        Column("is_a", Boolean, Computed("state = 'A'", persisted=True)),
    )
    ddl(m, "CREATE VIEW a AS SELECT name, is_a FROM things WHERE state = 'A'")
    ddl(
        m,
        "CREATE FUNCTION shown(value state) RETURNS text LANGUAGE sql IMMUTABLE "
        "AS 'SELECT ''A'' WHERE value = ''A'''",
    )
    ddl(m, "CREATE VIEW shown AS SELECT shown(state) FROM things")
    ddl(m, NOTHING)
    ddl(
        m,
        "CREATE TRIGGER on_state BEFORE UPDATE OF state ON things FOR EACH ROW "
        "EXECUTE FUNCTION nothing()",
    )


@change
def enum_under_types_and_a_function_changed(m: MetaData, new: bool) -> None:
    """No column has these types, and one of them comes."""
    labels = "'a', 'c'" if new else "'a', 'b', 'c'"
    ddl(m, f"CREATE TYPE mood AS ENUM ({labels})", first=True)
    ddl(m, "CREATE DOMAIN calm AS mood DEFAULT 'a' CHECK (VALUE <> 'c')", first=True)
    ddl(m, "CREATE TYPE a_pair AS (one calm, other mood)", first=True)
    one = "CREATE FUNCTION one(of mood) RETURNS integer LANGUAGE sql AS 'SELECT 1'"
    ddl(m, one, first=True)
    things(m)
    ddl(m, "ALTER TABLE things ADD COLUMN mood mood")
    if new:
        ddl(m, "CREATE DOMAIN loud AS mood", first=True)


@change
def enum_in_place_of_text(m: MetaData, new: bool) -> None:
    kind = state("A", "B") if new else Text()
    things(m, Column("state", kind, server_default="A"))


@change
def enum_in_place_of_another(m: MetaData, new: bool) -> None:
    kind = Enum("A", "B", name="new_state" if new else "old_state")
    things(m, Column("state", kind, server_default="A"))


@change
def domain_added(m: MetaData, new: bool) -> None:
    email = DOMAIN("email", Text(), check=text("VALUE LIKE '%@%'"), not_null=True)
    things(m, *([Column("mail", email)] if new else []))


@change
def domain_changed(m: MetaData, new: bool) -> None:
    email = DOMAIN(
        "email",
        Text(),
        constraint_name="email_check",
        check=text("VALUE <> 'x'" if new else "VALUE <> 'y'"),
        not_null=new,
        default="a" if new else None,
    )
    things(m, Column("mail", email))


@change
def sequence_added(m: MetaData, new: bool) -> None:
    things(m)
    if new:
        Sequence("numbers", start=100, increment=5, metadata=m)


@change
def sequence_changed(m: MetaData, new: bool) -> None:
    Sequence("numbers", start=1, increment=5 if new else 1, cycle=new, metadata=m)
    Sequence("low", minvalue=-5 if new else 1, maxvalue=900, metadata=m)
    lowest, highest = (-9, -1) if new else (1, 9)
    Sequence("apart", start=lowest, minvalue=lowest, maxvalue=highest, metadata=m)


# -- views, functions, triggers ------------------------------------------------------------------

NOTHING = """
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEW;
END
$$
"""
TRIGGER = "CREATE TRIGGER kept BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION nothing()"


@change
def view_added(m: MetaData, new: bool) -> None:
    things(m)
    if new:
        ddl(m, "CREATE VIEW names AS SELECT id, name FROM things WHERE name <> 'a:b 100%%'")
        ddl(m, "COMMENT ON VIEW names IS 'What things are called'")
        ddl(m, "CREATE VIEW first AS SELECT min(name) AS name FROM names")


@change
def view_column_appended(m: MetaData, new: bool) -> None:
    things(m)
    ddl(m, f"CREATE VIEW names AS SELECT id, name{', upper(name) AS u' if new else ''} FROM things")


@change
def view_column_appended_below_another(m: MetaData, new: bool) -> None:
    things(m)
    ddl(m, f"CREATE VIEW names AS SELECT id, name{', upper(name) AS u' if new else ''} FROM things")
    ddl(m, "CREATE VIEW first AS SELECT min(name) AS name FROM names")


@change
def view_column_changed(m: MetaData, new: bool) -> None:
    things(m)
    ddl(m, f"CREATE VIEW names AS SELECT {'name, id' if new else 'id, name'} FROM things")


@change
def view_condition_changed(m: MetaData, new: bool) -> None:
    things(m)
    ddl(m, f"CREATE VIEW names AS SELECT id FROM things WHERE id > {1 if new else 2}")


@change
def view_options_changed(m: MetaData, new: bool) -> None:
    things(m)
    ddl(m, f"CREATE VIEW names {'WITH (security_barrier)' if new else ''} AS SELECT id FROM things")


@change
def view_uses_a_new_column(m: MetaData, new: bool) -> None:
    things(m, *([Column("gone_at", Date)] if new else []))
    ddl(m, f"CREATE VIEW names AS SELECT id FROM things {'WHERE gone_at IS NULL' if new else ''}")


@change
def view_no_longer_shows_a_dropped_column(m: MetaData, new: bool) -> None:
    things(m, *([] if new else [Column("a", Text), Column("b", Text)]))
    ddl(m, f"CREATE VIEW names AS SELECT id, {'name' if new else 'b'} AS b FROM things")


@change
def materialized_view_changed(m: MetaData, new: bool) -> None:
    things(m)
    ddl(
        m,
        "CREATE MATERIALIZED VIEW counts AS "
        f"SELECT count(*) AS n{', 1 AS x' if new else ''} FROM things",
    )
    ddl(m, "CREATE UNIQUE INDEX ix_counts ON counts (n)")


@change
def function_added(m: MetaData, new: bool) -> None:
    things(m)
    if new:
        ddl(m, NOTHING, first=True)
        ddl(m, TRIGGER)


@change
def function_changed(m: MetaData, new: bool) -> None:
    body = "NEW.name := 'a:b';\n    RETURN NEW;" if new else "RETURN NEW;"
    ddl(m, NOTHING.replace("RETURN NEW;", body), first=True)
    things(m)
    ddl(m, TRIGGER)


@change
def functions_that_call_later_ones_added(m: MetaData, new: bool) -> None:
    """By their names; PostgreSQL keeps no dependency of a body that is a text."""
    if new:
        for name, of, body in (
            ("pick", "a integer, b integer", "SELECT a + b"),
            ("pick", "a integer", "SELECT pick(a, 1)"),
            ("ask", "a integer", "SELECT pick(a)"),
        ):
            made = f"CREATE FUNCTION {name}({of}) RETURNS integer LANGUAGE sql IMMUTABLE"
            ddl(m, f"{made} AS '{body}'", first=True)
    things(m, *([Column("n", Integer, server_default=text("ask(1)"))] if new else []))
    if new:
        names = "CREATE FUNCTION names() RETURNS SETOF text LANGUAGE sql STABLE"
        ddl(m, f"{names} AS 'SELECT name FROM things'")
        ddl(
            m,
            "CREATE FUNCTION all_names() RETURNS bigint LANGUAGE sql STABLE "
            "AS 'SELECT count(*) FROM names()'",
        )


@change
def function_with_odd_text_changed(m: MetaData, new: bool) -> None:
    body = (
        '-- tab\there  \n    -- \'quote\' """ \\\\ :name\n    RETURN NEW;' if new else "RETURN NEW;"
    )
    ddl(m, NOTHING.replace("RETURN NEW;", body), first=True)
    things(m)


@change
def function_that_a_check_and_an_index_use_changed(m: MetaData, new: bool) -> None:
    """The rows have the results of the former body."""
    body = "value || value" if new else "value"
    fold = "CREATE FUNCTION fold(value text) RETURNS text LANGUAGE sql IMMUTABLE"
    ddl(m, f"{fold} AS 'SELECT {body}'", first=True)
    things(m, Index("ix", text("fold(name)")), CheckConstraint("fold(name) <> ''", name="folded"))


@change
def function_made_strict(m: MetaData, new: bool) -> None:
    kind = "STRICT" if new else "SECURITY DEFINER"
    ddl(
        m, f"CREATE FUNCTION fold(n integer) RETURNS integer LANGUAGE sql {kind} AS 'SELECT n'",
        first=True,
    )  # fmt: skip
    things(m)


@change
def function_result_changed(m: MetaData, new: bool) -> None:
    kind = "bigint" if new else "integer"
    ddl(m, f"CREATE FUNCTION one() RETURNS {kind} LANGUAGE sql AS 'SELECT 1'", first=True)
    things(m)
    ddl(m, "CREATE VIEW ones AS SELECT id, one()::text AS one FROM things")


@change
def function_of_a_table_added(m: MetaData, new: bool) -> None:
    if new:
        things(m)
        ddl(
            m, "CREATE FUNCTION names() RETURNS SETOF things LANGUAGE sql AS 'SELECT * FROM things'"
        )
        ddl(m, "CREATE VIEW named AS SELECT name FROM names()")
        ddl(m, "CREATE PROCEDURE tidy() LANGUAGE sql AS 'DELETE FROM things'")


@change
def function_in_index_check_and_default_added(m: MetaData, new: bool) -> None:
    fold = (
        "CREATE FUNCTION fold(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT "
        "AS 'SELECT lower(value)'"
    )
    if new:
        ddl(m, fold, first=True)
    items = [
        Index("ix", text("fold(name)")),
        CheckConstraint("fold(name) <> ''", name="folded"),
        Column("code", Text, server_default=text("fold('X')")),
        Column("folded", Text, Computed("fold(name)", persisted=True)),
    ]
    things(m, *(items if new else []))


@change
def trigger_added(m: MetaData, new: bool) -> None:
    ddl(m, NOTHING, first=True)
    things(m)
    if new:
        ddl(m, TRIGGER)
        ddl(m, "COMMENT ON TRIGGER kept ON things IS 'Keeps'")


@change
def trigger_changed(m: MetaData, new: bool) -> None:
    ddl(m, NOTHING, first=True)
    things(m)
    ddl(m, TRIGGER.replace("UPDATE", "INSERT OR UPDATE OF name") if new else TRIGGER)


@change
def trigger_disabled(m: MetaData, new: bool) -> None:
    ddl(m, NOTHING, first=True)
    things(m)
    ddl(m, TRIGGER)
    if new:
        ddl(m, "ALTER TABLE things DISABLE TRIGGER kept")


@change
def table_with_everything_on_it_added(m: MetaData, new: bool) -> None:
    if new:
        ddl(m, NOTHING, first=True)
        things(m, Column("state", state("A", "B")))
        ddl(m, TRIGGER)
        ddl(m, "CREATE VIEW names AS SELECT name, state FROM things")
        ddl(m, "CREATE RULE kept_rule AS ON DELETE TO things DO INSTEAD NOTHING")
        ddl(m, "CREATE POLICY own ON things FOR SELECT USING (name = current_user)")
        ddl(m, "ALTER TABLE things ENABLE ROW LEVEL SECURITY")
        ddl(m, "CREATE STATISTICS both_columns ON id, name FROM things")


@change
def policy_and_rule_changed(m: MetaData, new: bool) -> None:
    things(m)
    column = "name" if new else "id::text"
    ddl(m, f"CREATE POLICY own ON things FOR SELECT USING ({column} = current_user)")
    ddl(
        m, f"CREATE RULE kept_rule AS ON DELETE TO things DO {'INSTEAD' if new else 'ALSO'} NOTHING"
    )
    if new:
        ddl(m, "ALTER TABLE things ENABLE ROW LEVEL SECURITY")
        ddl(m, "ALTER TABLE things FORCE ROW LEVEL SECURITY")


@change
def column_type_unknown_to_sqlalchemy(m: MetaData, new: bool) -> None:
    """A composite type made by hand, and a column of a type that reflection names."""
    things(m, Column("key", UUID, unique=new))
    if new:
        ddl(m, "CREATE TYPE pair AS (a integer, b text)", first=True)
        ddl(m, "ALTER TABLE things ADD COLUMN ab pair")


# -- texts, types and names that are easily written wrong ----------------------------------------


class Shouted(TypeDecorator[str]):
    """A type of the project, which no revision can import."""

    impl = String(20)
    cache_ok = True


@change
def colons_and_backslashes_added(m: MetaData, new: bool) -> None:
    items = [
        Column("a", Text, server_default="x :y"),
        Column("b", Text, server_default=text(r"'c\:\\:d'"), comment="a :b"),
        Column("c", Text, Computed(r"name || '\:x'", persisted=True)),
        CheckConstraint(r"a ~ '^(?\:foo|[[\:alpha\:]]+)$'", name="pattern"),
        Index("ix_colon", "a", postgresql_where=text(r"a <> '\:b'")),
    ]
    things(m, *(items if new else []))


@change
def table_with_colons_added(m: MetaData, new: bool) -> None:
    if new:
        things(
            m,
            Column("a", Text, server_default="x :y"),
            CheckConstraint(r"a <> '\:b'", name="colon"),
            Index("ix_colon", text(r"(a || '\:c')"), postgresql_where=text(r"a <> '\:b'")),
        )


@change
def type_changed_with_a_colon_in_the_default(m: MetaData, new: bool) -> None:
    things(m, Column("a", Text if new else String(20), server_default="x :y"), Index(None, "a"))


@change
def types_of_the_project_added(m: MetaData, new: bool) -> None:
    columns = [
        Column("loud", Shouted, server_default="A"),
        Column("kind", Enum("a", "b", native_enum=False, create_constraint=True, name="kind")),
        Column("labels", ARRAY(Enum("A+", 'q"t', name="Odd labels"))),
        Column("span", Interval),
        Column("raw", LargeBinary),
        Column("at", TIMESTAMP(precision=3, timezone=True)),
        Column("address", INET),
        Column("point", DOMAIN("Odd domain", Numeric(8, 2))),
    ]
    things(m, *(columns if new else []))


@change
def enum_without_a_native_type_changed(m: MetaData, new: bool) -> None:
    labels = ("a", "b", "c") if new else ("a", "b")
    kind = Enum(*labels, native_enum=False, create_constraint=True, name="kind", length=10)
    things(m, Column("kind", kind))


@change
def two_foreign_keys_between_two_tables_added(m: MetaData, new: bool) -> None:
    things(m)
    if new:
        Table(
            "links",
            m,
            Column("one", ForeignKey("things.id"), primary_key=True),
            Column("other", ForeignKey("things.id", deferrable=True, initially="DEFERRED")),
        )


@change
def inherited_table_added(m: MetaData, new: bool) -> None:
    if new:
        parent = Table("z_parent", m, Column("id", Integer, primary_key=True), Column("n", Text))
        child = Table(
            "a_child",
            m,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("size", Integer),
            postgresql_inherits="z_parent",
        )
        child.add_is_dependent_on(parent)


@change
def tables_that_inherit_dropped(m: MetaData, new: bool) -> None:
    if not new:
        Table("a_parent", m, Column("id", Integer, primary_key=True))
        ddl(m, "CREATE TABLE b_child (size integer) INHERITS (a_parent)")
        ddl(m, "CREATE TABLE c_child (code integer) INHERITS (b_child)")


@change
def times_under_a_view_with_a_time_zone(m: MetaData, new: bool) -> None:
    things(m, Column("at", DateTime(timezone=new)), Column("on", TIMESTAMP(timezone=new)))
    ddl(m, 'CREATE VIEW seen AS SELECT id, at, "on" FROM things')


@change
def sequence_changed_beside_a_type_under_a_materialized_view(m: MetaData, new: bool) -> None:
    Sequence("numbers", metadata=m, cache=1 if new else 7, increment=3 if new else 1)
    things(m, Column("address", CIDR if new else INET))
    ddl(m, "CREATE MATERIALIZED VIEW addressed AS SELECT id, address FROM things")


@change
def type_of_the_same_form_under_a_view_and_an_index(m: MetaData, new: bool) -> None:
    """PostgreSQL rewrites no row, and builds the index again."""
    things(m, Column("number", OID if new else Integer, index=True))
    ddl(m, "CREATE VIEW numbered AS SELECT id, number FROM things")


@change
def enum_under_a_view_and_a_key_sorted_otherwise(m: MetaData, new: bool) -> None:
    kind = state(*(("b", "a") if new else ("a", "b")), metadata=m)
    things(
        m,
        Column("state", kind),
        Column("states", ARRAY(kind), server_default=text("'{}'")),
        UniqueConstraint("states", name="uq_states", deferrable=True, initially="DEFERRED"),
        UniqueConstraint("state", "name", name="uq_state"),
        Index("ix_state", "state"),
    )
    ddl(m, "CREATE VIEW stated AS SELECT id, state, states FROM things")


@change
def table_unlogged(m: MetaData, new: bool) -> None:
    things(m, Column("size", Integer), prefixes=["UNLOGGED"] if new else [])


@change
def row_security_and_types_of_two_tables_changed(m: MetaData, new: bool) -> None:
    things(m, Column("size", BigInteger if new else Integer))
    kind, key = (BigInteger, Identity(start=100)) if new else (Integer, Identity())
    Table("numbered", m, Column("id", kind, key, primary_key=True))
    if not new:
        ddl(m, "ALTER TABLE things ENABLE ROW LEVEL SECURITY")


@change
def columns_of_an_inherited_table_changed(m: MetaData, new: bool) -> None:
    """Those of its parent change along; SQLAlchemy declares only its own."""
    Table(
        "z_parent",
        m,
        Column("id", Integer, primary_key=True),
        Column("n", Text, nullable=new),
        Column("kept", String(20 if new else 10), server_default="b" if new else "a"),
        *([Column("added", Integer)] if new else [Column("gone", Date)]),
        Column("twice", Integer, Computed("id * 3" if new else "id * 2", persisted=True)),
    )
    ddl(m, f"CREATE TABLE a_child (size {'bigint' if new else 'integer'}) INHERITS (z_parent)")
    ddl(m, f"COMMENT ON COLUMN a_child.id IS '{'new' if new else 'old'} of the child'")


@change
def generated_column_goes_with_its_key(m: MetaData, new: bool) -> None:
    """Its base column gets another type, so it goes early."""
    made = Computed("n * 2", persisted=True)
    gone = [] if new else [Column("twice", BigInteger, made), UniqueConstraint("twice", "size")]
    checks = (
        [] if new else [CheckConstraint("twice < size", name="ck_less"), Index("ix_twice", "twice")]
    )
    Table("z", m, Column("n", Numeric if new else Integer), Column("size", Integer), *gone, *checks)


@change
def enum_of_an_inherited_column_changed(m: MetaData, new: bool) -> None:
    labels = ("a", "c") if new else ("a", "b", "c")
    Table("z_parent", m, Column("state", state(*labels, metadata=m)), Column("n", Integer))
    ddl(m, "CREATE TABLE a_child (size integer) INHERITS (z_parent)")


@change
def table_inherits_from_one_with_other_types(m: MetaData, new: bool) -> None:
    """Its own columns are not altered while it inherits them."""
    for name, kind, size in (("a_parent", Integer, String(9)), ("b_parent", BigInteger, String(5))):
        is_strict = name == "a_parent"
        columns = Column("n", kind, server_default="1"), Column("size", size, nullable=is_strict)
        Table(name, m, *columns, Column("same", Text))
    ddl(m, f"CREATE TABLE child (m integer) INHERITS ({'b' if new else 'a'}_parent)")


@change
def parent_moved_with_another_type(m: MetaData, new: bool) -> None:
    """A table of another name that nobody declared a rename of, and its child."""
    name = "moved" if new else "parent"
    kind = DateTime(timezone=True) if new else DateTime()
    Table(
        name, m, Column("id", Integer if new else BigInteger, primary_key=True), Column("at", kind)
    )
    ddl(m, f"CREATE TABLE child (extra integer) INHERITS ({name})")


@change
def identity_of_a_table_that_others_inherit_from_added(m: MetaData, new: bool) -> None:
    numbered = [Column("id", Integer, Identity(start=100))] if new else []
    Table("z_parent", m, Column("n", Text), *numbered)
    ddl(m, "CREATE TABLE a_child (size integer) INHERITS (z_parent)")


@change
def constraint_that_is_not_valid_added(m: MetaData, new: bool) -> None:
    made = [ForeignKey("things.id", postgresql_not_valid=True)] if new else []
    things(m, Column("up", BigInteger, *made))


@change
def identity_of_a_narrower_type(m: MetaData, new: bool) -> None:
    kind = Integer if new else BigInteger
    identity = Identity() if new else Identity(start=100, increment=5)
    Table("narrow", m, Column("id", kind, identity, primary_key=True))


@change
def serial_in_place_of_an_identity(m: MetaData, new: bool) -> None:
    key: Any = [] if new else [Identity()]
    Table("numbered", m, Column("id", Integer, *key, primary_key=True), Column("note", Text))


@change
def identity_in_place_of_a_serial(m: MetaData, new: bool) -> None:
    key: Any = [Identity(always=True)] if new else []
    Table("numbered", m, Column("id", BigInteger, *key, primary_key=True), Column("note", Text))


@change
def wider_serial_in_place_of_an_identity(m: MetaData, new: bool) -> None:
    kind, key = (BigInteger, []) if new else (Integer, [Identity()])
    Table("numbered", m, Column("id", kind, *key, primary_key=True), Column("note", Text))


@change
def what_needs_a_revision_of_its_own_added(m: MetaData, new: bool) -> None:
    """A view that reads rows, and the index of a new table beside a change of another one."""
    things(m, Column("letters", CHAR(5 if new else 3)), *([Column("size", Date)] if new else []))
    check: dict[str, Any] = {"check": text("VALUE <> 77")} if new else {}
    DOMAIN("unused", Integer, metadata=m, **check)
    code = DOMAIN("code", Integer, not_null=not new, metadata=m)
    Table("a_users", m, Column("id", Integer, primary_key=True), Column("code", code))
    Table("b_users", m, Column("id", Integer, primary_key=True), Column("code", code))
    if new:
        Table("c_users", m, Column("code", code, index=True))
        ddl(m, "CREATE MATERIALIZED VIEW names AS SELECT name FROM things")


@change
def key_extended_as_a_table_that_refers_goes(m: MetaData, new: bool) -> None:
    columns = [Column("a", Integer, primary_key=True, autoincrement=False)]
    columns.append(Column("b", Integer, primary_key=new, nullable=False, autoincrement=False))
    Table("pairs", m, *columns)
    if not new:
        Table("users", m, Column("id", Integer, primary_key=True), Column("a", Integer))
        ddl(m, "ALTER TABLE users ADD CONSTRAINT users_a FOREIGN KEY (a) REFERENCES pairs (a)")


def referring(m: MetaData, kind: Any) -> None:
    """Two keys of one type, one of which refers to itself, too."""
    Table(
        "kinds",
        m,
        Column("code", kind, primary_key=True, autoincrement=False),
        Column("up", ForeignKey("kinds.code")),
    )
    Table(
        "files", m, Column("id", Integer, primary_key=True), Column("of", ForeignKey("kinds.code"))
    )


@change
def both_ends_of_a_foreign_key_become_an_enum(m: MetaData, new: bool) -> None:
    referring(m, Enum("a", "b", name="code") if new else String(50))


@change
def both_ends_of_a_foreign_key_become_numbers(m: MetaData, new: bool) -> None:
    referring(m, Numeric(12, 2) if new else Text)


@change
def enum_of_both_ends_of_a_foreign_key_changed(m: MetaData, new: bool) -> None:
    referring(m, Enum("a", "c", name="code") if new else Enum("a", "b", "c", name="code"))


@change
def both_ends_of_a_composite_foreign_key_changed(m: MetaData, new: bool) -> None:
    kinds = (UUID, Integer) if new else (Text, BigInteger)
    Table("pairs", m, *(Column(n, k, primary_key=True) for n, k in zip("ab", kinds, strict=True)))
    columns: list[Any] = [Column(n, k) for n, k in zip("xy", kinds, strict=True)]
    key = ForeignKeyConstraint(["x", "y"], ["pairs.a", "pairs.b"])
    Table("users", m, Column("id", Integer, primary_key=True), *columns, key)
