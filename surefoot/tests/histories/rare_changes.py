"""Changes that leave their transaction, that only some drivers run, or that no model has."""

from histories.changes import Change, MakesChange, Schema, body


def concurrent_index(schema: Schema) -> Change:
    """One or two indexes outside of a transaction."""
    table = schema.table()
    names = [schema.name("ix") for _ in range(schema.random.choice((1, 2)))]
    made = "\n".join(
        f"    op.create_index('{name}', '{table}', ['label', 'id'], postgresql_concurrently=True)"
        for name in names
    )
    gone = "\n".join(f"op.drop_index('{name}', '{table}')" for name in names)
    return Change(f"with op.get_context().autocommit_block():\n{made}", gone)


def index_between(schema: Schema) -> Change:
    """DDL before a concurrent index, and after it."""
    table, column = schema.table(), schema.name("code")
    return Change(
        body(
            """
            op.add_column("«t»", sa.Column("«c»", sa.Integer()))
            with op.get_context().autocommit_block():
                op.create_index("ix_«c»", "«t»", ["«c»"], postgresql_concurrently=True)
            op.execute("UPDATE «t» SET «c» = id WHERE id > 2")
            op.create_check_constraint("ck_«c»", "«t»", "«c» > 0")
            """,
            t=table,
            c=column,
        ),
        body("op.drop_column('«t»', '«c»')", t=table, c=column),
    )


def commit_between_rows(schema: Schema) -> Change:
    """A COMMIT in the middle, where rows exist."""
    table, index = schema.table(), schema.name("ix")
    return Change(
        body(
            """
            op.execute("UPDATE «t» SET label = label || '+' WHERE id < 4")
            op.execute("COMMIT")
            op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS «i» ON «t» (label)")
            """,
            t=table,
            i=index,
        ),
        f"op.execute('DROP INDEX {index}')",
    )


def enum_value(schema: Schema) -> Change:
    """A value that is added outside of a transaction, and used."""
    table, kind = schema.table(), schema.name("mood")
    return Change(
        body(
            """
            op.execute("CREATE TYPE «k» AS ENUM ('good')")
            with op.get_context().autocommit_block():
                op.execute("ALTER TYPE «k» ADD VALUE IF NOT EXISTS 'bad'")
            op.execute("ALTER TABLE «t» ADD COLUMN «k»_is «k» DEFAULT 'bad'")
            """,
            t=table,
            k=kind,
        ),
        body("op.drop_column('«t»', '«k»_is')\nop.execute('DROP TYPE «k»')", t=table, k=kind),
    )


def unclaimed(schema: Schema) -> Change:
    """Objects that no model has: a view, a function with its trigger, a sequence, statistics."""
    table, name = schema.table(), schema.name("kept")
    return Change(
        body(
            """
            op.execute("CREATE VIEW «n»_view AS SELECT id, label FROM «t» WHERE id > 1")
            op.execute(
                "CREATE FUNCTION «n»_touch() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN NEW.label := NEW.label || '.'; RETURN NEW; END $$"
            )
            op.execute(
                "CREATE TRIGGER «n»_touched BEFORE INSERT ON «t» "
                "FOR EACH ROW EXECUTE FUNCTION «n»_touch()"
            )
            op.execute("CREATE SEQUENCE «n»_numbers START 5 INCREMENT 5")
            op.execute("CREATE STATISTICS «n»_facts (ndistinct) ON id, label FROM «t»")
            op.execute("INSERT INTO «t» (id, label) VALUES (nextval('«n»_numbers') + «h», 'made')")
            """,
            t=table,
            n=name,
            h=1000 * schema.number,
        ),
        body(
            """
            op.execute("DROP STATISTICS «n»_facts")
            op.execute("DROP SEQUENCE «n»_numbers")
            op.execute("DROP TRIGGER «n»_touched ON «t»")
            op.execute("DROP FUNCTION «n»_touch()")
            op.execute("DROP VIEW «n»_view")
            """,
            t=table,
            n=name,
        ),
    )


def several_statements(schema: Schema) -> Change:
    """Statements in one op.execute, as psycopg sends them."""
    table, column = schema.table(), schema.name("rank")
    statements = (
        f"ALTER TABLE {table} ADD COLUMN {column} int",
        f"UPDATE {table} SET {column} = id % 3",
        f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL",
        f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT 0",
    )
    return Change(
        f'op.execute("""\n    {";".join(f"{each}" for each in statements)};\n""")',
        f"op.drop_column('{table}', '{column}')",
        plain="\n".join(f"op.execute({each!r})" for each in statements),
    )


def untyped_parameter(schema: Schema) -> Change:
    """A parameter whose type the server cannot know."""
    table, column = schema.table(), schema.name("extra")
    upgrade = body(
        """
        op.add_column("«t»", sa.Column("«c»", postgresql.JSONB()))
        op.get_bind().execute(
            sa.text("UPDATE «t» SET «c» = jsonb_build_object('by', «p»)"), {"by": "a person"}
        )
        """,
        t=table,
        c=column,
    )
    return Change(
        upgrade.replace("«p»", ":by"),
        f"op.drop_column('{table}', '{column}')",
        plain=upgrade.replace("«p»", "CAST(:by AS text)"),
    )


def of_application(schema: Schema) -> Change:
    """Rows that the application's own code makes."""
    table = schema.table()
    return Change(
        body(
            """
            for row in default_rows(20):
                op.execute(
                    sa.text("INSERT INTO «t» (id, label) VALUES (:id + «h», :label)")
                    .bindparams(**row)
                )
            """,
            t=table,
            h=1000 * schema.number + 500,
        ),
        f"op.execute('DELETE FROM {table} WHERE id > {1000 * schema.number + 500}')",
        imports="from app.models import default_rows",
    )


OUTSIDE: tuple[MakesChange, ...] = (
    concurrent_index,
    index_between,
    commit_between_rows,
    enum_value,
)
PSYCOPG: tuple[MakesChange, ...] = (several_statements, untyped_parameter)
