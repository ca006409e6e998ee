"""Changes that revisions of real projects make, each with the downgrade that takes it back.

A Schema remembers the tables so far, so that a later change finds something to change.
"""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

NOUNS = ("account", "invoice", "parcel", "device", "ticket", "member", "report", "session")


@dataclass(frozen=True)
class Change:
    """The bodies of a revision. `plain` is an upgrade for asyncpg, where it needs another."""

    upgrade: str
    downgrade: str = "pass"
    plain: str | None = None
    imports: str = ""


@dataclass
class Schema:
    """The tables with the columns that may be changed, and numbers for names."""

    random: Random
    tables: dict[str, list[str]] = field(default_factory=dict)
    # The schema of the application where it is not the first of the search path.
    inside: str | None = None
    number: int = 0

    def name(self, kind: str) -> str:
        """A name that no other object has."""
        self.number += 1
        return f"{kind}_{self.number}"

    def table(self) -> str:
        """One of the tables."""
        return self.random.choice(list(self.tables))

    @property
    def where(self) -> str:
        """The argument that names the schema."""
        return f", schema={self.inside!r}" if self.inside else ""

    def sql(self, name: str) -> str:
        """A name, as SQL finds it."""
        return f"{self.inside}.{name}" if self.inside else name


MakesChange = Callable[[Schema], Change]


def body(text: str, /, **names: object) -> str:
    """The text without its indentation, with «name» replaced."""
    text = textwrap.dedent(text).strip()
    for name, value in names.items():
        text = text.replace(f"«{name}»", str(value))
    return text


def new_table(schema: Schema) -> Change:
    """A table with a reference to an older one, and rows."""
    table = schema.name(schema.random.choice(NOUNS))
    target = schema.table() if schema.tables else None
    refers = f"sa.ForeignKey({schema.sql(target)!r} + '.id')" if target else "nullable=True"
    schema.tables[table] = []
    return Change(
        body(
            """
            made = op.create_table(
                "«table»",
                sa.Column("id", sa.Integer(), primary_key=True),
                sa.Column("label", sa.String(80), server_default="none", nullable=False),
                sa.Column("parent", sa.Integer(), «refers»),
                sa.Column("facts", postgresql.JSONB(), nullable=True)«where»,
            )
            op.create_index("ix_«table»_label", "«table»", ["label"]«where»)
            rows = [{"id": n, "label": f"row {n}", "facts": {"n": n}} for n in range(7)]
            op.bulk_insert(made, rows)
            """,
            table=table,
            refers=refers,
            where=schema.where,
        ),
        body("op.drop_table('«table»'«where»)", table=table, where=schema.where),
    )


def filled_column(schema: Schema) -> Change:
    """A column that is filled in batches, and then required."""
    table, column = schema.table(), schema.name("amount")
    schema.tables[table].append(column)
    return Change(
        body(
            """
            op.add_column("«table»", sa.Column("«column»", sa.BigInteger(), nullable=True)«where»)
            bind = op.get_bind()
            while True:
                done = bind.execute(sa.text(
                    "UPDATE «of» SET «column» = id * 10 WHERE id IN "
                    "(SELECT id FROM «of» WHERE «column» IS NULL ORDER BY id LIMIT 3)"
                ))
                if done.rowcount == 0:
                    break
            op.alter_column("«table»", "«column»", nullable=False, server_default="0"«where»)
            """,
            table=table,
            column=column,
            where=schema.where,
            of=schema.sql(table),
        ),
        body("op.drop_column('«t»', '«c»'«where»)", t=table, c=column, where=schema.where),
    )


def looked_up(schema: Schema) -> Change:
    """A column that is added where an inspector misses it, and filled from rows that are read."""
    table, column = schema.table(), schema.name("note")
    return Change(
        body(
            """
            bind = op.get_bind()
            names = [each["name"] for each in sa.inspect(bind).get_columns("«table»"«where»)]
            if "«column»" not in names:
                op.add_column("«table»", sa.Column("«column»", sa.Text())«where»)
            for row in bind.execute(sa.text("SELECT id, label FROM «of» ORDER BY id")).fetchall():
                bind.execute(
                    sa.text("UPDATE «of» SET «column» = :note WHERE id = :id"),
                    {"note": row.label.upper(), "id": row.id},
                )
            """,
            table=table,
            column=column,
            where=schema.where,
            of=schema.sql(table),
        ),
        body("op.drop_column('«t»', '«c»'«where»)", t=table, c=column, where=schema.where),
    )


def new_enum(schema: Schema) -> Change:
    """A type, made before the column that has it."""
    table, kind = schema.table(), schema.name("state")
    made = f"postgresql.ENUM('new', 'done', name={kind!r}{schema.where})"
    return Change(
        body(
            """
            kind = «made»
            kind.create(op.get_bind(), checkfirst=True)
            column = sa.Column("«kind»_is", kind, server_default="new", nullable=False)
            op.add_column("«t»", column«where»)
            """,
            made=made,
            t=table,
            kind=kind,
            where=schema.where,
        ),
        body(
            """
            op.drop_column("«t»", "«kind»_is"«where»)
            «made».drop(op.get_bind(), checkfirst=False)
            """,
            made=made,
            t=table,
            kind=kind,
            where=schema.where,
        ),
    )


def renamed(schema: Schema) -> Change:
    """A column under another name and with another type, or a constraint where there is none."""
    table = schema.table()
    if not schema.tables[table]:
        check = schema.name("ck")
        return Change(
            f"op.create_check_constraint('{check}', '{table}', 'id >= 0'{schema.where})",
            f"op.drop_constraint('{check}', '{table}', type_='check'{schema.where})",
        )
    column, other = schema.tables[table].pop(), schema.name("total")
    return Change(
        body(
            """
            op.alter_column("«t»", "«c»", new_column_name="«o»"«where»)
            old, new = sa.BigInteger(), sa.Numeric(14, 2)
            op.alter_column("«t»", "«o»", type_=new, existing_type=old«where»)
            op.create_unique_constraint("uq_«o»", "«t»", ["«o»", "id"]«where»)
            """,
            t=table,
            c=column,
            o=other,
            where=schema.where,
        ),
        body(
            """
            op.drop_constraint("uq_«o»", "«t»", type_="unique"«where»)
            old, new = sa.BigInteger(), sa.Numeric(14, 2)
            op.alter_column("«t»", "«o»", type_=old, existing_type=new«where»)
            op.alter_column("«t»", "«o»", new_column_name="«c»"«where»)
            """,
            t=table,
            c=column,
            o=other,
            where=schema.where,
        ),
    )


USUAL: tuple[MakesChange, ...] = (new_table, filled_column, looked_up, new_enum, renamed)
