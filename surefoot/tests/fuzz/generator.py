"""Pairs of models by chance: what people declare, and how they change it.

pair(Random(7)) -> the model before, the model after; the same number gives the same pair
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from fuzz.models import Declaration, Model, without

# A role of the server, and a schema beside `public`.
ROLE, FAR = "fuzz_reader", "far"
TABLES = (
    *("things", "parts", "Odd Table", "order", "größe", "per%cent", "a_table_with_" + "x" * 30),
    *("it's", "a:b", "back\\slash", 'quo"te', "longest_" + "ü" * 27 + "z"),
)
COLUMNS = (
    *("size", "rank", "code", "state", "note", "Mixed Case", "user", "at", "data", "länge"),
    *("per%", "a:b", "it's", "column_with_a_" + "y" * 30, "b\\s", 'q"'),
    "longest_" + "é" * 27 + "x",
)
# A type -> defaults as SQL, and types that a value of it fits into.
TYPES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "SmallInteger": (("7", "0"), ("Integer", "BigInteger", "Numeric(12, 2)")),
    "Integer": (("7", "-1", "1 + 2"), ("BigInteger", "Numeric(12, 2)", "Text", "SmallInteger")),
    "BigInteger": (("0",), ("Numeric(30, 2)", "Text", "Integer")),
    "Numeric(12, 2)": (("0", "1.50"), ("Numeric(14, 2)", "Numeric", "Text")),
    "Double": (("0.5",), ("Text",)),
    "Text": (
        ("''", "'x :y'", "'it''s'", "'a\\b'", "'50%'"),
        ("String(200)", "Text(collation='C')"),
    ),
    "String(20)": (("'new'", "'x :y'"), ("String(50)", "Text", "String", "String(30)")),
    "String(50)": (("''",), ("String(80)", "Text", "String(20)")),
    "CHAR(3)": (("'abc'",), ("CHAR(5)", "Text")),
    "Boolean": (("true", "false"), ("Text",)),
    "Date": (("CURRENT_DATE", "'2020-01-01'"), ("DateTime(timezone=True)", "Text")),
    "DateTime(timezone=True)": (("now()",), ("TIMESTAMP(timezone=True, precision=3)",)),
    "DateTime": (("'2020-01-01 10:00'",), ("DateTime(timezone=True)", "Text")),
    "UUID": (("gen_random_uuid()",), ("Text",)),
    "JSONB": (("'{}'", '\'{"a": "b:c"}\''), ("JSON", "Text")),
    "LargeBinary": ((), ()),
    "Interval": (("'1 day'",), ("Text",)),
    "ARRAY(Integer)": (("'{}'", "ARRAY[1, 2]"), ("ARRAY(BigInteger)",)),
    "ARRAY(Text)": (("'{}'::text[]", "ARRAY['a', 'b c']"), ()),
    "INET": (("'127.0.0.1'",), ("CIDR", "Text")),
    "INT4RANGE": ((), ()),
    "REAL": (("1.5",), ("Double",)),
    "Time": (("'10:00'",), ("Text",)),
    "DATERANGE": (("'[2020-01-01,2020-02-01)'",), ()),
    "MACADDR": ((), ("Text",)),
    "TSVECTOR": (("''",), ()),
    "BIT(3)": (("B'101'",), ("BIT(5, varying=True)", "Text")),
    "Shouted": (("'A'",), ("Text", "String(40)")),
    "CITEXT": (("'new'",), ("Text",)),
    "HSTORE": (("'a=>b'",), ("Text",)),
    "ARRAY(String(20))": (("'{}'",), ("ARRAY(Text)", "ARRAY(String(30))")),
    "Enum('a', 'b', native_enum=False, create_constraint=True, name='letter')": (
        ("'a'",),
        ("Enum('a', 'b', 'c', native_enum=False, create_constraint=True, name='letter')", "Text"),
    ),
}
KEYS = (
    "Column('id', Integer, primary_key=True)",
    "Column('id', BigInteger, primary_key=True)",
    "Column('id', Integer, Identity(), primary_key=True)",
    "Column('id', BigInteger, Identity(always=True), primary_key=True)",
    "Column('id', BigInteger, Identity(start=100, increment=5), primary_key=True)",
    "Column('id', BigInteger, primary_key=True, autoincrement=False)",
    "Column('id', UUID, primary_key=True, server_default=text('gen_random_uuid()'))",
)
NUMBERS = ("SmallInteger", "Integer", "BigInteger", "Numeric(12, 2)")
TEXTS = ("Text", "String(20)", "String(50)", "CHAR(3)")
LABELS = ("new", "paid", "sent", "A+", 'q"t', "it's", "x:y", "x,y", "größe", "b\\s", "50%", "a b")
# Checks of a number, of a text.
# The last of each refuse null.
NUMBER_CHECKS = (
    "{c} >= -1",
    "{c} IN (-1, 0, 1, 2, 3, 4, 5, 7)",
    "{c} BETWEEN -5 AND 5000",
    "coalesce({c}, -9) >= -1",
)
TEXT_CHECKS = (
    "length({c}::text) < 100",
    "{c} <> 'zz'",
    "{c} NOT IN ('x:y', 'z')",
    r"{c} ~ '^(?\\:.*|[[\\:alpha\\:]]+)$' OR true",
    "{c} <> '100%'",
    r"{c} <> 'b\s' AND {c} IN ('a:b', 'a0', 'b1', 'c2')",
    "coalesce({c}, '') <> ''",
    "num_nonnulls({c}) = 1",
)
DOMAINS = ("", ", check=text('VALUE <> 77')", ", default=text('5')", ", not_null=True, default='3'")
LOOSE = ", postgresql_not_valid=True"
REFERENCES = (
    *(", ondelete='CASCADE'", ", deferrable=True", ", onupdate='SET NULL'", LOOSE),
    *(", initially='DEFERRED', deferrable=1", ""),
)
CONDITIONS = (" > 0'", " > 5'", " * 2'", " * 3'")
COMMENTS = (
    "comment='Its : \\\\ \"comment\"'",
    "comment='Another %'",
    'comment="The table\'s: comment"',
)
SEQUENCES = (
    "",
    ", start=5",
    ", increment=3, cycle=True",
    ", minvalue=-5, maxvalue=900",
    ", cache=7",
)
# Clauses of a policy and of a grant.
POLICIES = (
    (" FOR ALL", " FOR UPDATE"),
    (f" TO {ROLE} USING", " TO PUBLIC USING"),
    ("USING (true)", "USING (false)"),
)
GRANTED = (
    ("GRANT SELECT ON", "GRANT INSERT, UPDATE ON", "GRANT ALL ON"),
    (f"TO {ROLE}')", f"TO {ROLE} WITH GRANT OPTION')"),
)
# Texts that are exchanged for each other, in a declaration that has the word.
TEXTS_OF = (
    ("DOMAIN(", DOMAINS),
    ("Sequence(", SEQUENCES),
    ("ForeignKey(", REFERENCES),
    ("", CONDITIONS),
    ("comment=", COMMENTS),
    *(("CREATE POLICY", each) for each in POLICIES),
    *(("GRANT", each) for each in GRANTED),
)
PRIVILEGES = ("SELECT", "INSERT, UPDATE", "ALL", "SELECT ({c})", "UPDATE ({c}), REFERENCES ({c})")
_NAME = re.compile(r"^Index\('(\w+)'|Constraint\(.*name='(\w+)'")
# A name that needs no escape in Python, in SQL or in `-x rename=`.
_SIMPLE = re.compile(r"[\w ]+")
MOST_TABLES, MOST_ITEMS, MOST_EDITS = 3, 6, 4


def pair(random: Random) -> tuple[Model, Model]:
    """A model, and the same one after some changes."""
    before = Generator(random)
    before.fill()
    after = Generator(random, before.model, before.count)
    for _ in range(random.randint(1, MOST_EDITS)):
        after.edit()
    return before.model, after.model


class Generator:
    """Adds declarations to a model, and changes them."""

    def __init__(self, random: Random, model: Model = (), count: int = 0) -> None:
        self._random, self.model, self.count = random, [*model], count

    def fill(self) -> None:
        """Declare some of everything."""
        for make in (self._enum, self._domain, self._sequence, self._function):
            if self._random.random() < 0.4:
                make()
        for _ in range(self._random.randint(1, MOST_TABLES)):
            self._table()
        for _ in range(self._random.randint(1, MOST_ITEMS)):
            self._item()
        for make in (self._view, self._partitioned, self._inherited):
            if self._random.random() < 0.3:
                make()

    def edit(self) -> None:
        """One change that people make."""
        edits: list[tuple[int, Callable[[], object]]] = [
            (3, self._drop),
            (3, self._column),
            (2, self._item),
            (4, self._changed_column),
            (3, self._changed_enum),
            (1, self._table),
            (1, self._view),
            (1, self._enum),
            (1, self._function),
            (2, self._changed_item),
            (2, self._changed_key),
            (2, self._changed_text),
            (2, self._renamed),
            (1, self._partitioned),
            (1, self._policy),
            (2, self._moved),
            (1, self._renamed_column),
            (1, self._other_key),
        ]
        weights = [weight for weight, _ in edits]
        self._random.choices([each for _, each in edits], weights)[0]()

    # -- what a model declares ---------------------------------------------------------------------

    def _add(self, declaration: Declaration) -> Declaration:
        self.model.append(declaration)
        return declaration

    def _new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def _place(self) -> str:
        """Of a new object: nothing, or the other schema and a dot."""
        return f"{FAR}." if self._random.random() < 0.25 else ""

    def _of(self, *facts: str) -> list[Declaration]:
        return [each for each in self.model if {*facts} <= {*each.facts}]

    def _table(self) -> None:
        used, place = {each.name for each in self.model}, self._place()
        free = [each for each in TABLES if place + each not in used]
        if not free:
            return
        short, random = self._random.choice(free), self._random
        name = place + short
        options = ['comment="The table\'s: comment"'] if random.random() < 0.2 else []
        # No table refers to an unlogged one, or to one of another MetaData.
        kind = random.choices(("logged", "unlogged", "apart"), (8, 1, 1))[0]
        logged = [kind] if kind == "logged" else []
        options += ["prefixes=['UNLOGGED']"] if kind == "unlogged" else []
        options += [f"schema={FAR!r}"] if place else []
        end = "".join(f", {each}" for each in options)
        code = f"Table({short!r}, {'apart' if kind == 'apart' else 'm'}, …{end})"
        self._add(Declaration(name, code, facts=("table", *logged)))
        key = random.choice(KEYS)
        self._add(Declaration(f"{name}.id", key, name, type="id", facts=("key",)))
        for _ in range(random.randint(1, 4)):
            self._column(name)

    def _column(self, table: str | None = None) -> None:
        random = self._random
        tables = [each.name for each in self._of("table")]
        if table is None and not tables:
            return
        table = table or random.choice(tables)
        used = {each.name for each in self.model if each.table == table}
        free = [each for each in COLUMNS if f"{table}.{each}" not in used]
        if free:
            name = f"{table}.{random.choice(free)}"
            type_ = self._type()
            others = [each.code for each in self.model if each.table == table]
            # Its check has the same name for each column.
            is_second = "letter" in type_ and any("letter" in each for each in others)
            self._add(self._declared(name, table, "Text" if is_second else type_))

    def _type(self) -> str:
        """A type; sometimes an enum or a domain of the model."""
        made = self._of("type")
        if made and self._random.random() < 0.4:
            return self._random.choice(made).name
        return self._random.choice(sorted(TYPES))

    def _declared(self, name: str, table: str, type_: str) -> Declaration:
        random, column = self._random, name.rpartition(".")[2]
        types = {each.name: each for each in self._of("type")}
        code, needs, defaults = type_, frozenset[str](), TYPES.get(type_, ((), ()))[0]
        if type_ in types:
            needs = frozenset({type_})
            labels = types[type_].facts[1:]
            defaults = [f"'{each}'" for each in labels if each.isalnum()][:1]
            if random.random() < 0.2 and labels:
                code, defaults = f"ARRAY({type_})", ["'{}'"]
        options = []
        if random.random() < 0.4:
            options.append("nullable=False")
        if defaults and random.random() < 0.5:
            default = random.choice([*defaults]).replace(":", "\\:")
            options.append(f"server_default=text({default!r})")
        if random.random() < 0.15:
            options.append("comment='Its : \\\\ \"comment\"'")
        if random.random() < 0.1:
            options.append("index=True")
        rest = "".join(f", {each}" for each in options)
        return Declaration(
            name, f"Column({column!r}, {code}{rest})", table, needs, code, ("column",)
        )

    def _columns(self, *types: str) -> list[Declaration]:
        found = self._of("column")
        return [each for each in found if not types or each.type in types]

    def _item(self) -> None:
        """An index or a constraint."""
        random = self._random
        makes = (self._index, self._index, self._check, self._unique, self._key, self._computed)
        rare = (
            self._exclusion,
            self._beside,
            self._composite,
            self._second_key,
            self._referred_key,
            self._called,
        )
        beside = (self._trigger, self._comment, self._granted, self._granted, self._policy)
        random.choice((*makes, *rare, *beside, self._policy, self._similar))()

    def _index(self) -> None:
        random, columns = self._random, self._columns()
        columns = [each for each in columns if each.type not in ("JSON", "LargeBinary")]
        if not columns:
            return
        column = random.choice(columns)
        name, quoted = self._new("ix_"), _quoted(column)
        of, options = repr(_short(column)), ""
        plain = [each for each in columns if each.table == column.table and each is not column]
        others = [each for each in plain if each.type in NUMBERS]
        shape, needs = random.randrange(9), {column.name}
        if shape == 1:
            of = f"text({quoted + ' DESC NULLS LAST'!r})"
        elif shape == 2 and column.type in TEXTS:
            of = f"text({f'lower({quoted})'!r})"
        elif shape == 3 and others:
            needs.add(others[0].name)
            options = f", postgresql_where=text({_quoted(others[0]) + ' > 0'!r})"
        elif shape == 4 and others:
            needs.add(others[0].name)
            options = f", postgresql_include=[{_short(others[0])!r}]"
        elif shape == 5 and others:
            needs.add(others[0].name)
            of += f", {_short(others[0])!r}"
        elif shape == 6 and column.type in ("JSONB", "ARRAY(Integer)", "ARRAY(Text)"):
            options = ", postgresql_using='gin'"
        elif shape == 7:
            options = ", unique=True"
        elif shape == 8 and column.type in ("Text", "String(20)", "String(50)"):
            of = f"text({f'{quoted} gin_trgm_ops'!r})"
            options = ", postgresql_using='gin'"
        code = f"Index({name!r}, {of}{options})"
        self._add(Declaration(name, code, column.table, frozenset(needs), facts=("item",)))

    def _check(self) -> None:
        random, columns = self._random, self._columns(*NUMBERS, *TEXTS)
        if columns:
            column = random.choice(columns)
            said = NUMBER_CHECKS if column.type in NUMBERS else TEXT_CHECKS
            condition = random.choice(said).format(c=_quoted(column).replace(":", "\\:"))
            name = self._new("check_")
            loose = random.choice(("", "", LOOSE))
            code = f"CheckConstraint(text({condition!r}), name={name!r}{loose})"
            needs = frozenset({column.name})
            self._add(Declaration(name, code, column.table, needs, facts=("item",)))

    def _unique(self) -> None:
        random = self._random
        columns = [each for each in self._columns() if each.type not in ("JSON", "LargeBinary")]
        if columns:
            column = random.choice(columns)
            options = random.choice(
                (
                    "",
                    "",
                    ", deferrable=True, initially='DEFERRED'",
                    ", postgresql_nulls_not_distinct=True",
                )
            )
            name = self._new("uq_")
            code = f"UniqueConstraint({_short(column)!r}, name={name!r}{options})"
            needs = frozenset({column.name})
            self._add(Declaration(name, code, column.table, needs, facts=("item",)))

    def _key(self) -> None:
        """A column that refers to another table, or to its own."""
        random, tables = self._random, [each.name for each in self._of("logged")]
        keys = [each for each in self._of("key") if each.table in tables]
        if not keys:
            return
        table, key = random.choice(tables), random.choice(keys)
        name = self._new("ref_")
        options = random.choice(("", *REFERENCES))
        more = random.choice(("", ", index=True"))
        code = f"Column({name!r}, ForeignKey({key.name!r}{options}){more})"
        needs = frozenset({key.name})
        self._add(Declaration(f"{table}.{name}", code, table, needs, "key", ("item",)))

    def _computed(self) -> None:
        columns = self._columns(*NUMBERS)
        if columns:
            column = self._random.choice(columns)
            name, twice = self._new("twice_"), f"{_quoted(column)} * 2"
            kept = self._random.choice((", persisted=True", ", persisted=True", ""))
            code = f"Column({name!r}, Numeric, Computed({twice!r}{kept}))"
            needs = frozenset({column.name})
            self._add(
                Declaration(f"{column.table}.{name}", code, column.table, needs, facts=("item",))
            )

    def _exclusion(self) -> None:
        columns = self._columns("INT4RANGE", "DATERANGE", *NUMBERS)
        if columns:
            column, name = self._random.choice(columns), self._new("ex_")
            operator = "=" if column.type in NUMBERS else "&&"
            options = self._random.choice(("", ", where=text('1 = 1')"))
            options += ", using='btree'" if column.type in NUMBERS else ""
            code = f"ExcludeConstraint(({_short(column)!r}, {operator!r}), name={name!r}{options})"
            self._item_of(name, code, column)

    def _trigger(self) -> None:
        """A trigger, and its function."""
        tables = self._of("table")
        if tables:
            table, name = self._random.choice(tables), self._new("on_")
            made = f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n"
            made += "  -- :odd \"text\" 'a\\b'\n  RETURN NEW;\nEND $$"
            code = f"ddl(m, {made!r}, first=True)"
            self._add(Declaration(f"{name}()", code, facts=("trigger function",)))
            code = _made_trigger(name, table.name, "UPDATE")
            needs = frozenset({table.name, f"{name}()"})
            self._add(Declaration(name, code, needs=needs, facts=("trigger", table.name)))

    def _comment(self) -> None:
        """A comment on a view or a function."""
        views = [each for each in self._of("view") if "MATERIALIZED" not in each.code]
        made = [("VIEW", each) for each in views]
        made += [("FUNCTION", each) for each in self._of("function")]
        if made:
            kind, of = self._random.choice(made)
            statement = f"COMMENT ON {kind} {of.name} IS 'It''s: 5 %%\\'"
            code = f"ddl(m, {statement!r})"
            needs = frozenset({of.name})
            self._add(Declaration(self._new("comment_"), code, needs=needs, facts=("beside",)))

    def _beside(self) -> None:
        """An object that SQLAlchemy has no name for."""
        random, tables = self._random, self._of("table")
        if not tables:
            return
        table, name = random.choice(tables), self._new("beside_")
        on, needs = _whole(table.name), {table.name}
        there = f"{FAR}.{name}" if table.name.startswith(f"{FAR}.") else name
        statement = random.choice(
            (
                f"CREATE POLICY {name} ON {on} USING (true)",
                f"ALTER TABLE {on} ENABLE ROW LEVEL SECURITY",
                f"CREATE RULE {name} AS ON DELETE TO {on} WHERE false DO INSTEAD NOTHING",
                f"CREATE TRIGGER {name} BEFORE UPDATE ON {on} FOR EACH ROW "
                "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
                f"ALTER TABLE {on} SET (fillfactor = 70)",
                f"ALTER TABLE {on} ADD CONSTRAINT {name} CHECK (1 = 1) NOT VALID",
                f"CREATE STATISTICS {there} ON (1), (2) FROM {on}",
            )
        )
        if "STATISTICS" in statement:
            columns = [each for each in self._columns(*NUMBERS, *TEXTS) if each.table == table.name]
            if len(columns) < 2:
                return
            of = ", ".join(map(_quoted, columns[:2]))
            statement = f"CREATE STATISTICS {there} ON {of} FROM {on}"
            needs |= {each.name for each in columns[:2]}
        code = f"ddl(m, {statement.replace('%', '%%')!r})"
        self._add(Declaration(name, code, needs=frozenset(needs), facts=("beside",)))

    def _policy(self) -> None:
        """A policy of a table's rows, and whether the table asks it."""
        random, tables = self._random, self._of("table")
        if not tables:
            return
        table = random.choice(tables)
        columns = [each for each in self._columns(*NUMBERS, *TEXTS) if each.table == table.name]
        needs, asked = {table.name}, "true"
        if columns and random.random() < 0.7:
            column = random.choice(columns)
            needs.add(column.name)
            said = NUMBER_CHECKS if column.type in NUMBERS else TEXT_CHECKS
            asked = random.choice(said).format(c=_quoted(column)).replace("\\:", ":")
        others = [each for each in self._of("key") if each.table != table.name]
        if others and random.random() < 0.3:
            needs.add(others[0].name)
            asked = f"EXISTS (SELECT FROM {_whole(str(others[0].table))} o WHERE o.id IS NOT NULL)"
        name, on = self._new("policy_"), _whole(table.name)
        how = random.choice(("", " FOR ALL", " FOR UPDATE", " AS RESTRICTIVE FOR DELETE"))
        how += random.choice(("", f" TO {ROLE}", " TO PUBLIC"))
        more = f" WITH CHECK ({asked})" if "DELETE" not in how and random.random() < 0.3 else ""
        statement = f"CREATE POLICY {name} ON {on}{how} USING ({asked}){more}"
        self._ddl(name, statement, *needs)
        if random.random() < 0.5:
            kind = random.choice(("ENABLE", "FORCE"))
            self._ddl(f"{name}!", f"ALTER TABLE {on} {kind} ROW LEVEL SECURITY", *needs)

    def _ddl(self, name: str, statement: str, *needs: str) -> None:
        code = f"ddl(m, {statement.replace('%', '%%')!r})"
        self._add(Declaration(name, code, needs=frozenset(needs), facts=("beside",)))

    def _granted(self) -> None:
        """Privileges on an object."""
        random, columns, tables = self._random, self._columns(), self._of("table")
        made = [("", _whole(each.name), each) for each in tables]
        made += [("", each.name, each) for each in self._of("view")]
        made += [("FUNCTION ", f"{each.name}(integer)", each) for each in self._of("function")]
        named = [("SEQUENCE ", each) for each in self._of("object")]
        named += [("TYPE ", each) for each in self._of("type") if each.type == "domain"]
        for kind, each in named:
            made.append((kind, f"{FAR}.{each.name}" if _there(each.name) else each.name, each))
        if not made:
            return
        kind, whole, of = random.choice(made)
        which = {"": "SELECT", "FUNCTION ": "EXECUTE"}.get(kind, "USAGE")
        needs, of_table = {of.name}, [each for each in columns if each.table == of.name]
        if of_table:
            column = random.choice(of_table)
            which = random.choice(PRIVILEGES).format(c=_quoted(column))
            needs |= {column.name} if "(" in which else set()
        option = random.choice(("", "", " WITH GRANT OPTION"))
        statement = f"GRANT {which} ON {kind}{whole} TO {ROLE}{option}"
        if kind == "FUNCTION " and random.random() < 0.3:
            statement = f"REVOKE ALL ON {kind}{whole} FROM PUBLIC"
        code = f"ddl(m, {statement.replace('%', '%%')!r})"
        self._add(Declaration(self._new("grant_"), code, needs=frozenset(needs), facts=("beside",)))

    def _similar(self) -> None:
        """An index or a constraint that another one is equal to, but for its name."""
        items = [each for each in self._of("item") if _named(each)]
        if items:
            item, name = self._random.choice(items), self._new("like_")
            code = item.code.replace(repr(_named(item)), repr(name))
            self._add(replace(item, name=name, code=code, needs=item.needs | {item.name}))

    def _composite(self) -> None:
        """A constraint or an index of two columns."""
        columns = self._columns(*NUMBERS, *TEXTS)
        pairs = [(a, b) for a in columns for b in columns if a.table == b.table and a.name < b.name]
        if pairs:
            one, other = self._random.choice(pairs)
            of, name = f"{_short(one)!r}, {_short(other)!r}", self._new("two_")
            code = self._random.choice(
                (
                    f"UniqueConstraint({of}, name={name!r})",
                    f"Index({name!r}, {of}, unique=True, postgresql_nulls_not_distinct=True)",
                    f"Index({name!r}, {of}, postgresql_with={{'fillfactor': 80}})",
                    f"Index({name!r}, {of}, postgresql_using='brin')",
                )
            )
            self._item_of(name, code, one, other)

    def _second_key(self) -> None:
        """A composite key of a new table, and a reference to it."""
        name = self._new("pairs_")
        self._add(Declaration(name, f"Table({name!r}, m, …)", facts=("table", "logged")))
        for column in ("left", "right"):
            code = f"Column({column!r}, Integer, primary_key=True)"
            self._add(Declaration(f"{name}.{column}", code, name, type="id"))
        if self._random.random() < 0.5:
            other = self._new("of_pairs_")
            self._add(Declaration(other, f"Table({other!r}, m, …)", facts=("table", "logged")))
            for column in ("l", "r"):
                code = f"Column({column!r}, Integer)"
                self._add(Declaration(f"{other}.{column}", code, other, type="id"))
            of = f"['{name}.left', '{name}.right']"
            code = f"ForeignKeyConstraint(['l', 'r'], {of}, ondelete='CASCADE')"
            needs = frozenset({f"{other}.l", f"{other}.r", f"{name}.left", f"{name}.right"})
            self._add(Declaration(f"{other}.fk", code, other, needs, facts=("item",)))

    def _referred_key(self) -> None:
        """A key beside the primary key, and references to it: of its own table, of another one."""
        random, name = self._random, self._new("codes_")
        self._add(Declaration(name, f"Table({name!r}, m, …)", facts=("table", "logged")))
        columns = {"id": ", primary_key=True", "code": "", "up": ""}
        for column, more in columns.items():
            code = f"Column({column!r}, Integer{more})"
            self._add(Declaration(f"{name}.{column}", code, name, type="id"))
        needs = frozenset({f"{name}.code", f"{name}.id"})
        key = Declaration(f"{name}.key", self._key_code(), name, needs, facts=("referred",))
        self._add(key)
        for column in random.choice((("ref",), ("ref",), ("up", "ref"))):
            code = f"ForeignKeyConstraint([{column!r}], ['{name}.code'], name='{name}_{column}')"
            table, needed = name, {f"{name}.up"}
            if column == "ref":
                table, needed = f"of_{name}", {f"of_{name}.ref"}
                self._add(Declaration(table, f"Table({table!r}, m, …)", facts=("table", "logged")))
                for each in ("Column('id', Integer, primary_key=True)", "Column('ref', Integer)"):
                    own = each.split("'")[1]
                    self._add(Declaration(f"{table}.{own}", each, table, type="id"))
            uses = frozenset({*needed, f"{name}.code", key.name})
            self._add(Declaration(f"{table}.fk_{column}", code, table, uses, facts=("item",)))

    def _key_code(self) -> str:
        name = self._new("by_code_")
        more = self._random.choice(("", "", ", postgresql_include=['id']"))
        unique = f"UniqueConstraint('code', name={name!r}{more})"
        # An index comes too late for a reference of its own table.
        return self._random.choice((unique, f"Index({name!r}, 'code', unique=True{more})"))

    def _other_key(self) -> None:
        """Another key in place of one that is referred to."""
        if keys := self._of("referred"):
            self._put(replace(self._random.choice(keys), code=self._key_code()))

    def _called(self) -> None:
        """A function of the model in a check, an index or a default."""
        functions, columns = self._of("function"), self._columns("Integer")
        if functions and columns:
            function, column = (self._random.choice(each) for each in (functions, columns))
            name, call = self._new("call_"), f"{function.name}({_quoted(column)})"
            code = self._random.choice(
                (
                    f"CheckConstraint(text({f'{call} > 0'!r}), name={name!r})",
                    f"Index({name!r}, text({call!r}))",
                )
            )
            self._item_of(name, code, function, column)

    def _item_of(self, name: str, code: str, *needed: Declaration) -> None:
        needs = frozenset(each.name for each in needed)
        table = next(each.table for each in reversed(needed) if each.table)
        self._add(Declaration(name, code, table, needs, facts=("item",)))

    def _partitioned(self) -> None:
        place, short = self._place(), self._new("events_")
        name, there = place + short, f", schema={FAR!r}" if place else ""
        of = self._random.choice(("RANGE (id)", "LIST (id)", "HASH (id)"))
        code = f"Table({short!r}, m, …, postgresql_partition_by={of!r}{there})"
        self._add(Declaration(name, code, needs=frozenset({f"{name}.id"}), facts=("table",)))
        self._add(Declaration(f"{name}.id", KEYS[5], name, type="id"))
        self._column(name)

    def _inherited(self) -> None:
        tables = self._of("logged")
        if tables:
            parent, name = self._random.choice(tables), self._place() + self._new("child_")
            made = f"CREATE TABLE {name} (extra integer) INHERITS ({_whole(parent.name)})"
            code = f"ddl(m, {made.replace('%', '%%')!r})"
            needs = frozenset({parent.name})
            self._add(Declaration(name, code, needs=needs, facts=("child", parent.name)))

    def _enum(self) -> None:
        name, number = self._new("kind_"), self._random.randint(1, 4)
        self._add(_enum(name, self._random.sample(LABELS, number)))

    def _domain(self) -> None:
        name = self._new("dom_")
        options = f"{self._random.choice(DOMAINS)}{_there(name)}"
        code = f"{name} = DOMAIN({name!r}, Integer{options}, metadata=m)"
        self._add(Declaration(name, code, type="domain", facts=("type",)))

    def _sequence(self) -> None:
        name = self._new("seq_")
        options = f"{self._random.choice(SEQUENCES)}{_there(name)}"
        self._add(Declaration(name, f"Sequence({name!r}, metadata=m{options})", facts=("object",)))

    def _function(self) -> None:
        name = self._place() + self._new("fn_")
        self._add(
            Declaration(name, _function(name, self._random.randint(1, 9)), facts=("function",))
        )

    def _view(self) -> None:
        random, columns = self._random, self._columns()
        if not columns:
            return
        column = random.choice(columns)
        name, kind = (
            self._place() + self._new("view_"),
            random.choice(("VIEW", "VIEW", "MATERIALIZED VIEW")),
        )
        where = ""
        if column.type in TEXTS:
            where = random.choice(("", f" WHERE {_quoted(column)} IN (''a'', ''b'')"))
        of, views = _whole(str(column.table)), [each.name for each in self._of("view", column.name)]
        if views and random.random() < 0.5:
            of, where = random.choice(views), ""
        select = f"SELECT {_quoted(column)} FROM {of}{where}"
        statement = f"CREATE {kind} {name} AS {select}".replace("''", "'")
        code = f"ddl(m, {statement.replace('%', '%%')!r})"
        needs = frozenset({str(column.table), column.name, *({of} & {*views})})
        self._add(Declaration(name, code, needs=needs, facts=("view", column.name)))

    # -- how a model changes -----------------------------------------------------------------------

    def _drop(self) -> None:
        if self.model:
            gone = self._random.choice(self.model)
            self.model = [*without(self.model, [gone.name])]

    def _put(self, declaration: Declaration) -> None:
        names = [each.name for each in self.model]
        self.model[names.index(declaration.name)] = declaration

    def _changed_column(self) -> None:
        """Another type that the values fit into, or another default, or another NOT NULL."""
        random, columns = self._random, self._columns()
        if not columns:
            return
        column = random.choice(columns)
        wider = TYPES.get(column.type, ((), ()))[1]
        how = random.randrange(4)
        if how < 2 and wider:
            type_ = random.choice(wider)
            code = column.code.replace(column.type, type_, 1)
            # A default of the old type may not fit.
            before, found, after = code.partition(", server_default=")
            if found and TYPES.get(type_, ((), ()))[0] != TYPES[column.type][0]:
                code = before + ")" if after.endswith("')") and "," not in after else column.code
                type_ = type_ if code != column.code else column.type
            self._put(replace(column, code=code, type=type_))
        elif how == 2:
            code = column.code.replace(", nullable=False", "")
            if code == column.code:
                code = f"{code[:-1]}, nullable=False)"
            self._put(replace(column, code=code))
        else:
            made = self._declared(column.name, str(column.table), column.type)
            if column.type in TYPES:
                self._put(made)

    def _changed_enum(self) -> None:
        """One label more, one less, another order."""
        random = self._random
        enums = [each for each in self._of("type") if each.type == "enum"]
        if not enums:
            return
        enum = random.choice(enums)
        labels, how = [*enum.facts[1:]], random.randrange(4)
        free = [each for each in LABELS if each not in labels]
        if how == 0 and len(labels) > 1:
            labels.remove(random.choice(labels))
        elif how == 1:
            random.shuffle(labels)
        else:
            labels.insert(random.randint(0, len(labels)), random.choice(free))
        # A default may name a label that goes.
        if all(label in labels for label in enum.facts[1:]):
            self._put(_enum(enum.name, labels))

    def _changed_key(self) -> None:
        """Another type or numbering of a key; the columns that refer to it follow."""
        keys = self._of("key")
        if keys:
            key = self._random.choice(keys)
            fitting = [each for each in KEYS if ("UUID" in each) == ("UUID" in key.code)]
            self._put(replace(key, code=self._random.choice(fitting)))

    def _changed_text(self) -> None:
        """Another domain, sequence, option of a reference, computed value or comment."""
        random = self._random
        said = [
            (each, each.code.replace(old, random.choice(options), 1))
            for each in self.model
            for words, options in TEXTS_OF
            for old in options
            if old and words in each.code and old in each.code
        ]
        if said:
            declaration, code = random.choice(said)
            self._put(replace(declaration, code=code))

    def _renamed(self) -> None:
        """Another name of an index or a constraint."""
        items = [each for each in self._of("item") if _named(each)]
        if items:
            item = self._random.choice(items)
            code = item.code.replace(repr(_named(item)), repr(self._new("renamed_")))
            self._put(replace(item, code=code))

    def _moved(self) -> None:
        """A table in the other schema, or under another name; its rows stay."""
        tables = [each for each in self._of("table") if _SIMPLE.fullmatch(_bare(each.name))]
        tables = [each for each in tables if not each.former and _bare(each.name) not in COLUMNS]
        if not tables:
            return
        table, used = self._random.choice(tables), {each.name for each in self.model}
        place, short = table.name[: -len(_bare(table.name))], _bare(table.name)
        if self._random.random() < 0.3:
            name = place + self._new("renamed_")
        else:
            name = short if place else f"{FAR}.{short}"
        if name not in used:
            declared = self._random.random() < 0.7
            self.model = [_of_moved(each, table.name, name, declared) for each in self.model]

    def _renamed_column(self) -> None:
        """Another name of a column that nothing else names."""
        needed = {need for each in self.model for need in each.needs}
        here = {each.name for each in self._of("table") if not each.former}
        columns = [each for each in self._columns() if each.name not in needed]
        columns = [each for each in columns if not each.former and each.table in here]
        columns = [each for each in columns if _SIMPLE.fullmatch(_short(each))]
        columns = [each for each in columns if _SIMPLE.fullmatch(_bare(str(each.table)))]
        if columns:
            column, new = self._random.choice(columns), self._new("renamed_")
            code = column.code.replace(repr(_short(column)), repr(new), 1)
            named = replace(column, name=f"{column.table}.{new}", code=code, former=column.name)
            self.model = [named if each is column else each for each in self.model]

    def _changed_item(self) -> None:
        """The same name for another definition; another text of a function."""
        random, functions = self._random, self._of("function")
        indexes = [each for each in self._of("item") if each.code.startswith("Index(")]
        if functions and random.random() < 0.5:
            function = random.choice(functions)
            self._put(replace(function, code=_function(function.name, random.randint(10, 20))))
        elif (triggers := self._of("trigger")) and random.random() < 0.5:
            trigger = random.choice(triggers)
            code = _made_trigger(trigger.name, trigger.facts[1], "INSERT OR UPDATE")
            self._put(replace(trigger, code=code))
        elif (tables := self._of("table")) and random.random() < 0.2:
            self._put(_unlogged(random.choice(tables)))
        elif indexes:
            index = random.choice(indexes)
            code = index.code.replace(", unique=True", "")
            if code == index.code and "gin" not in code:
                code = f"{code[:-1]}, unique=True)"
            self._put(replace(index, code=code))


def _bare(table: str) -> str:
    """The name of a table without its schema."""
    return table.removeprefix(f"{FAR}.")


def _of_moved(each: Declaration, old: str, new: str, is_declared: bool) -> Declaration:
    """A declaration after the table has another name or schema."""
    code, whole = each.code, (_whole(old), _whole(new))
    if each.name == old:
        code = code.replace(f"Table({_bare(old)!r}", f"Table({_bare(new)!r}", 1)
        code = code.replace(f", schema={FAR!r}", "")
        if new != _bare(new):
            code = f"{code[:-1]}, schema={FAR!r})"
    elif code.startswith("ddl("):
        code = re.sub(rf"(?<![\w.]){re.escape(whole[0])}", lambda _: whole[1], code)
    else:
        code = code.replace(f"'{old}.", f"'{new}.")

    def moved(name: str) -> str:
        return new + name[len(old) :] if name == old or name.startswith(f"{old}.") else name

    name = moved(each.name) if old in (each.table, each.name) else each.name
    return replace(
        each,
        name=name,
        code=code,
        table=new if each.table == old else each.table,
        needs=frozenset(map(moved, each.needs)),
        facts=tuple(map(moved, each.facts)),
        former=each.name if each.name == old and is_declared else each.former,
    )


def _enum(name: str, labels: Sequence[str]) -> Declaration:
    listed = ", ".join(map(repr, labels))
    odd = f'Odd: "{name}" %' if name[-1] in "13579" else name
    code = f"{name} = Enum({listed}, name={odd!r}, metadata=m{_there(name)})"
    return Declaration(name, code, type="enum", facts=("type", *labels))


def _there(name: str) -> str:
    """The option for the schema of a type or a sequence."""
    return f", schema={FAR!r}" if name[-1] in "347" else ""


def _function(name: str, number: int) -> str:
    body = f"SELECT n + {number} -- 100%% of it: a comment"
    statement = f"CREATE FUNCTION {name}(n integer) RETURNS integer LANGUAGE sql AS $${body}\n$$"
    return f"ddl(m, {statement!r}, first=True)"


def _made_trigger(name: str, table: str, event: str) -> str:
    when = f"CREATE TRIGGER {name} BEFORE {event} ON {_whole(table)} FOR EACH ROW"
    statement = f"{when} EXECUTE FUNCTION {name}()".replace("%", "%%")
    return f"ddl(m, {statement!r})"


def _unlogged(table: Declaration) -> Declaration:
    """The table without a log, or with one."""
    code = table.code.replace(", prefixes=['UNLOGGED']", "")
    if code == table.code and "partition" not in code and "logged" not in table.facts:
        code = f"{code[:-1]}, prefixes=['UNLOGGED'])"
    return replace(table, code=code)


def _named(item: Declaration) -> str | None:
    """The name of an index or a constraint, as its code gives it."""
    found = _NAME.search(item.code)
    return None if found is None else found[1] or found[2]


def _short(column: Declaration) -> str:
    return column.name.removeprefix(f"{column.table}.")


def _quoted(column: Declaration) -> str:
    return _quote(_short(column))


def _whole(table: str) -> str:
    """A table for SQL."""
    short = table.removeprefix(f"{FAR}.")
    return _quote(short) if short == table else f"{FAR}.{_quote(short)}"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
