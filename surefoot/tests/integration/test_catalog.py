"""A catalog holds everything of a schema that matters, the same from every server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from harness.databases import Database, Databases
from surefoot.catalog import Catalog, Difference, Key, difference, snapshot
from surefoot.catalog.kinds import KINDS, Attribute, Column
from surefoot.catalog.statements import create, drop

WIDE = (Path(__file__).parent / "wide_schema.sql").read_text("utf-8")
# Of the schema above; the same on PostgreSQL 15 to 18, or a fingerprint proves nothing.
FINGERPRINT = "2f43bb3534acf41d960342e59ee02bbfe5f80395af9b306f2ab7653afae422a0/2"
# Dependencies, to create again the objects that CASCADE dropped.
TURN = (
    "enum", "domain", "type", "sequence", "function", "procedure", "aggregate", "constraint",
    "view", "materialized view", "index", "trigger", "rule", "policy", "statistics",
)  # fmt: skip


@pytest.fixture(scope="module")
async def engine(databases: Databases) -> AsyncIterator[AsyncEngine]:
    """A database with the wide schema; a test that changes it rolls back."""
    database = await databases.empty()
    engine = database.access.engine("migrate")
    async with engine.begin() as connection:
        await script(connection, WIDE)
    yield engine
    await engine.dispose()
    await databases.drop(database)


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection within a transaction that is rolled back."""
    async with engine.connect() as connection:
        await connection.begin()
        yield connection
        await connection.rollback()


async def script(connection: AsyncConnection, statements: str) -> None:
    """Several statements at once, as the driver runs them where nothing is bound."""
    raw = await connection.get_raw_connection()
    assert raw.driver_connection is not None
    await raw.driver_connection.execute(statements)


async def read(connection: AsyncConnection, schema: str = "public") -> Catalog:
    return await connection.run_sync(snapshot, schema)


def shown(differences: Iterable[Difference]) -> list[str]:
    return [str(each) for each in differences]


async def test_the_fingerprint_is_the_same_on_every_server(connection: AsyncConnection) -> None:
    """PostgreSQL 15 to 18 give one catalog for one schema."""
    catalog = await read(connection)
    assert len(catalog.objects) == 71
    assert catalog.fingerprint() == FINGERPRINT


async def test_every_attribute_has_its_type(connection: AsyncConnection) -> None:
    """The rows of the queries fit the fields that they are read into."""
    catalog = await read(connection)
    for key, found in catalog.objects.items():
        for name, hint in get_type_hints(type(found)).items():
            allowed = get_args(hint) or (hint,)
            value = getattr(found, name)
            kinds = [get_origin(each) or each for each in allowed]
            assert isinstance(value, tuple(kinds)), f"{name} of {key} is {value!r}"


def test_the_attributes_are_named_once() -> None:
    """The names that a type checker knows are those of the fields that are compared."""
    compared = {each for kind in KINDS.values() for each in fields(kind) if each.compare}
    assert {each.name.replace("_", " ") for each in compared} == set(get_args(Attribute))


async def test_two_schemas_compare_equal(connection: AsyncConnection) -> None:
    """No definition holds the schema's name, not even one that has to be quoted."""
    public = await read(connection)
    await connection.execute(text('CREATE SCHEMA "Other one"'))
    await connection.execute(text('SET LOCAL search_path = "Other one"'))
    await script(connection, WIDE)
    other = await read(connection, "Other one")
    assert shown(difference(public, other, column_order=True)) == []
    assert public == other
    assert public.uses == other.uses


@pytest.mark.slow
async def test_every_object_can_be_dropped_and_made_again(connection: AsyncConnection) -> None:
    """The statements come from the catalog alone, and what an object takes along comes back too."""
    before = await read(connection)
    tried = 0
    for key, attributes in before.objects.items():
        users = before.users_of(key)
        if key.kind not in TURN or any(user.kind not in TURN for user in users):
            continue
        async with connection.begin_nested() as savepoint:
            cascade = " CASCADE" if users else ""
            await connection.exec_driver_sql(drop(key, attributes) + cascade)
            gone = difference(before, await read(connection))
            assert {(each.kind, each.name) for each in gone} == {key, *users}
            for each in sorted({key, *users}, key=lambda one: (TURN.index(one.kind), one.name)):
                for statement in create(each, before.objects[each]):
                    await connection.exec_driver_sql(statement)
            assert shown(difference(before, await read(connection))) == []
            await savepoint.rollback()
        tried += 1
    assert tried >= 30


HAND_MADE = {
    "table added": ("CREATE TABLE new (id int)", "unexpected table new"),
    "table dropped": ("DROP TABLE part", "missing table part"),
    "table unlogged": (
        "ALTER TABLE ul SET LOGGED",
        "changed persistence of table ul: expected unlogged, found permanent",
    ),
    "table option": (
        "ALTER TABLE a SET (fillfactor = 90)",
        "changed options of table a: expected (fillfactor=70), found (fillfactor=90)",
    ),
    "table comment": (
        "COMMENT ON TABLE a IS NULL",
        "changed comment of table a: expected Ta, found nothing",
    ),
    "row security": (
        "ALTER TABLE b DISABLE ROW LEVEL SECURITY",
        "changed row security of table b: expected enabled, found nothing",
    ),
    "column added": ("ALTER TABLE b ADD n int", "unexpected column b.n"),
    "column dropped": ("ALTER TABLE b DROP t CASCADE", "missing column b.t"),
    "column renamed": ("ALTER TABLE ul RENAME x TO y", "missing column ul.x"),
    "column type": (
        "ALTER TABLE ul ALTER x TYPE bigint",
        "changed type of column ul.x: expected integer, found bigint",
    ),
    "column length": (
        "ALTER TABLE part ALTER id TYPE numeric(9,2)",
        "changed type of column part.id: expected integer, found numeric(9,2)",
    ),
    "default changed": (
        "ALTER TABLE b ALTER d SET DEFAULT '2 days'",
        "changed default of column b.d: expected '1 day'::interval, found '2 days'::interval",
    ),
    "default dropped": (
        "ALTER TABLE a ALTER s DROP DEFAULT",
        "changed default of column a.s: expected 'A'::st, found nothing",
    ),
    "null allowed": (
        "ALTER TABLE a ALTER s DROP NOT NULL",
        "changed not null of column a.s: expected True, found False",
    ),
    "collation": (
        'ALTER TABLE "Odd ""table" ALTER "Mixed Case" TYPE text COLLATE "C"',
        'changed collation of column Odd "table.Mixed Case: expected nothing, found "C"',
    ),
    "identity": (
        "ALTER TABLE b ALTER id SET GENERATED ALWAYS",
        "changed identity of column b.id: expected BY DEFAULT START WITH 10 INCREMENT BY 1 "
        "MINVALUE 1 MAXVALUE 2147483647 CACHE 1, found ALWAYS START WITH 10 INCREMENT BY 1 "
        "MINVALUE 1 MAXVALUE 2147483647 CACHE 1",
    ),
    "generated": (
        "ALTER TABLE a ALTER g DROP EXPRESSION",
        "changed generated of column a.g: expected regexp_replace(name, '^.*/'::text, ''::text) "
        "STORED, found nothing",
    ),
    "column comment": (
        "COMMENT ON COLUMN b.k IS 'x'",
        "changed comment of column b.k: expected nothing, found x",
    ),
    "check added": ("ALTER TABLE ul ADD CONSTRAINT c CHECK (x > 0)", "unexpected constraint ul.c"),
    "check dropped": ("ALTER TABLE a DROP CONSTRAINT ck", "missing constraint a.ck"),
    "check changed": (
        "ALTER TABLE b DROP CONSTRAINT nv, ADD CONSTRAINT nv CHECK (k <> 'r') NOT VALID",
        "changed definition of constraint b.nv: expected CHECK (k <> 'q'::text), "
        "found CHECK (k <> 'r'::text)",
    ),
    "check validated": (
        "ALTER TABLE b VALIDATE CONSTRAINT nv",
        "changed validated of constraint b.nv: expected False, found True",
    ),
    "key dropped": ("ALTER TABLE b DROP CONSTRAINT b_pkey", "missing constraint b.b_pkey"),
    "foreign key changed": (
        "ALTER TABLE b DROP CONSTRAINT b_aid_fkey, "
        "ADD CONSTRAINT b_aid_fkey FOREIGN KEY (aid) REFERENCES a",
        "changed definition of constraint b.b_aid_fkey: expected FOREIGN KEY (aid) "
        "REFERENCES a(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, "
        "found FOREIGN KEY (aid) REFERENCES a(id)",
    ),
    "exclusion dropped": ("ALTER TABLE a DROP CONSTRAINT ex", "missing constraint a.ex"),
    "index added": ("CREATE INDEX new ON b (k)", "unexpected index new"),
    "index dropped": ("DROP INDEX ix_gin", "missing index ix_gin"),
    "index predicate": (
        "DROP INDEX part_ix; CREATE INDEX part_ix ON part (id) WHERE id > 0",
        "changed definition of index part_ix: expected CREATE INDEX part_ix ON part USING btree "
        "(id), found CREATE INDEX part_ix ON part USING btree (id) WHERE id > 0",
    ),
    "index operator class": (
        "DROP INDEX ix_pat; CREATE INDEX ix_pat ON a (name) INCLUDE (num)",
        "changed comment of index ix_pat: expected ixc, found nothing",
    ),
    "index broken": (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_gin'::regclass",
        "changed valid of index ix_gin: expected True, found False",
    ),
    "sequence changed": (
        "ALTER SEQUENCE sq INCREMENT 3",
        "changed definition of sequence sq: expected AS integer START WITH 5 INCREMENT BY 2 "
        "MINVALUE 1 MAXVALUE 2147483647 CACHE 1 CYCLE, found AS integer START WITH 5 "
        "INCREMENT BY 3 MINVALUE 1 MAXVALUE 2147483647 CACHE 1 CYCLE",
    ),
    "sequence owner": (
        "ALTER SEQUENCE sq OWNED BY ul.x",
        "changed owned by of sequence sq: expected nothing, found ul.x",
    ),
    "enum value": (
        "ALTER TYPE st ADD VALUE 'N' BEFORE 'B'",
        "changed labels of enum st: expected (A, B, it's), found (A, N, B, it's)",
    ),
    "domain": (
        "ALTER DOMAIN email DROP CONSTRAINT email_check",
        "changed checks of domain email: expected (email_check CHECK (VALUE ~~ '%@%'::text)), "
        "found nothing",
    ),
    "composite type": (
        "ALTER TYPE pt ADD ATTRIBUTE z int",
        "changed definition of type pt: expected (x integer, y text), "
        "found (x integer, y text, z integer)",
    ),
    "view changed": (
        "CREATE OR REPLACE VIEW v6 AS SELECT s.c FROM (SELECT count(*) + 1 AS c FROM a) s",
        "changed definition of view v6: expected SELECT c\n   FROM ( SELECT count(*) AS c\n"
        "           FROM a) s, found SELECT c\n   FROM ( SELECT count(*) + 1 AS c\n"
        "           FROM a) s",
    ),
    "view option": (
        "ALTER VIEW v8 RESET (security_barrier)",
        "changed options of view v8: expected (security_barrier=true), found nothing",
    ),
    "view dropped": ("DROP VIEW v7", "missing view v7"),
    "materialized view dropped": ("DROP MATERIALIZED VIEW mv", "missing materialized view mv"),
    "function changed": (
        "CREATE OR REPLACE FUNCTION imm(t text) RETURNS text LANGUAGE sql IMMUTABLE "
        "RETURN upper(t)",
        "changed definition of function imm(text): expected CREATE OR REPLACE FUNCTION imm(t text)"
        "\n RETURNS text\n LANGUAGE sql\n IMMUTABLE\nRETURN lower(t)\n, found CREATE OR REPLACE "
        "FUNCTION imm(t text)\n RETURNS text\n LANGUAGE sql\n IMMUTABLE\nRETURN upper(t)\n",
    ),
    "function added": (
        "CREATE FUNCTION imm(int) RETURNS int LANGUAGE sql RETURN 1",
        "unexpected function imm(integer)",
    ),
    "procedure dropped": ("DROP PROCEDURE pp", "missing procedure pp(integer, text)"),
    "aggregate dropped": ("DROP AGGREGATE agg(text)", "missing aggregate agg(text)"),
    "trigger enabled": (
        "ALTER TABLE a ENABLE TRIGGER t1",
        "changed enabled of trigger a.t1: expected no, found yes",
    ),
    "trigger dropped": ("DROP TRIGGER t2 ON a", "missing trigger a.t2"),
    "rule dropped": ("DROP RULE rr ON b", "missing rule b.rr"),
    "policy changed": (
        "ALTER POLICY pol ON b USING (true)",
        "changed definition of policy b.pol: expected PERMISSIVE FOR SELECT TO public USING "
        "(k = CURRENT_USER), found PERMISSIVE FOR SELECT TO public USING (true)",
    ),
    "statistics dropped": ("DROP STATISTICS sts", "missing statistics sts"),
    "partition detached": ("ALTER TABLE part DETACH PARTITION part_1", "missing partition part_1"),
    "partition added": (
        "CREATE TABLE part_2 PARTITION OF part DEFAULT",
        "unexpected partition part_2",
    ),
    "partition option": (
        "ALTER TABLE part_1 SET (autovacuum_enabled = off)",
        "changed options of partition part_1: expected nothing, found (autovacuum_enabled=off)",
    ),
    "storage": (
        "ALTER TABLE a ALTER name SET STORAGE EXTERNAL",
        "changed storage of column a.name: expected nothing, found EXTERNAL instead of EXTENDED",
    ),
    "compression": (
        "ALTER TABLE a ALTER name SET COMPRESSION pglz",
        "changed compression of column a.name: expected nothing, found pglz",
    ),
    "statistics target": (
        "ALTER TABLE a ALTER name SET STATISTICS 500",
        "changed statistics of column a.name: expected nothing, found 500",
    ),
    "statistics target of an index": (
        "ALTER INDEX ix_expr ALTER COLUMN 1 SET STATISTICS 500",
        "changed statistics of index ix_expr: expected nothing, found (1 500)",
    ),
    "target of statistics": (
        "ALTER STATISTICS sts SET STATISTICS 500",
        "changed target of statistics sts: expected nothing, found 500",
    ),
    "attribute option": (
        "ALTER TABLE a ALTER name SET (n_distinct = 5)",
        "changed attribute options of column a.name: expected nothing, found (n_distinct=5)",
    ),
    "toast option": (
        "ALTER TABLE a SET (toast.autovacuum_enabled = off)",
        "changed toast options of table a: expected nothing, found (autovacuum_enabled=off)",
    ),
    "option of a key's index": (
        "ALTER INDEX a_pkey SET (fillfactor = 60)",
        "changed index options of constraint a.a_pkey: expected nothing, found (fillfactor=60)",
    ),
    "replica identity": (
        "ALTER TABLE a REPLICA IDENTITY FULL",
        "changed replica identity of table a: expected nothing, found FULL",
    ),
    "cluster": (
        "ALTER TABLE a CLUSTER ON a_pkey",
        "changed cluster index of table a: expected nothing, found a_pkey",
    ),
    "row security forced": (
        "ALTER TABLE b FORCE ROW LEVEL SECURITY",
        "changed row security of table b: expected enabled, found forced",
    ),
    "foreign key switched off": (
        "ALTER TABLE b DISABLE TRIGGER ALL",
        "changed enforcement of constraint b.b_aid_fkey: expected nothing, found (off on b)",
    ),
    "broken key": (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'a_pkey'::regclass",
        "changed index validity of constraint a.a_pkey: expected nothing, found invalid",
    ),
    "rule switched off": (
        "ALTER TABLE b DISABLE RULE rr",
        "changed firing of rule b.rr: expected nothing, found no",
    ),
    "comment on a view's column": (
        "COMMENT ON COLUMN v7.t IS 'x'",
        "changed column comments of view v7: expected nothing, found (t x)",
    ),
    "collation added": (
        "CREATE COLLATION mine (PROVIDER = libc, LOCALE = 'C')",
        "unexpected collation mine",
    ),
    "operator added": (
        "CREATE OPERATOR === (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text)",
        "unexpected operator ===(text, text)",
    ),
    "operator class added": (
        "CREATE OPERATOR CLASS mine FOR TYPE int USING hash AS OPERATOR 1 =",
        "unexpected operator class mine USING hash",
    ),
    "text search": (
        "CREATE TEXT SEARCH CONFIGURATION mine (COPY = pg_catalog.simple)",
        "unexpected text search configuration mine",
    ),
    "dictionary": (
        "CREATE TEXT SEARCH DICTIONARY mine (TEMPLATE = pg_catalog.simple)",
        "unexpected text search dictionary mine",
    ),
    "event trigger": (
        "CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
        "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION on_ddl()",
        "unexpected event trigger mine",
    ),
    "inheritance": (
        "ALTER TABLE inh NO INHERIT ul",
        "changed inherits of table inh: expected (ul), found nothing",
    ),
}


# Rare kinds of objects, all at once: the fingerprint is the same on every server too.
SELDOM = (
    "storage", "compression", "statistics target", "statistics target of an index",
    "target of statistics", "attribute option", "toast option", "option of a key's index",
    "replica identity", "cluster", "row security forced", "foreign key switched off", "broken key",
    "rule switched off", "comment on a view's column", "collation added", "operator added",
    "operator class added", "text search", "dictionary", "event trigger", "partition option",
)  # fmt: skip
SELDOM_FINGERPRINT = "cf12c8b38f42bbb77c60934ba62dae7b20cafa69e6d0029df16362d05f53036b/2"


async def test_the_fingerprint_of_what_is_seldom_is_the_same_on_every_server(
    connection: AsyncConnection,
) -> None:
    """Every attribute that is there only where it is set."""
    assert (await read(connection)).fingerprint() == FINGERPRINT
    await script(connection, ";".join(HAND_MADE[change][0] for change in SELDOM))
    assert (await read(connection)).fingerprint() == SELDOM_FINGERPRINT


@pytest.mark.sample(6)
@pytest.mark.parametrize("change", HAND_MADE)
async def test_a_change_by_hand_is_seen(connection: AsyncConnection, change: str) -> None:
    """And it is named with what was expected and what was found."""
    before = await read(connection)
    statements, expected = HAND_MADE[change]
    await script(connection, statements)
    assert expected in shown(difference(before, await read(connection)))


async def test_owners_and_privileges_are_compared_on_request(connection: AsyncConnection) -> None:
    """They differ from one environment to the next, so they are no difference by themselves."""
    before = await connection.run_sync(lambda c: snapshot(c, privileges=True))
    await script(
        connection,
        "CREATE ROLE catalog_reader; ALTER TABLE ul OWNER TO catalog_reader; "
        "GRANT SELECT ON a TO catalog_reader; GRANT UPDATE (k) ON b TO catalog_reader; "
        "REVOKE EXECUTE ON FUNCTION imm FROM PUBLIC; GRANT SELECT ON b TO PUBLIC",
    )
    after = await connection.run_sync(lambda c: snapshot(c, privileges=True))
    assert shown(difference(before, after)) == [
        "changed privileges of column b.k: expected nothing, found (UPDATE TO catalog_reader)",
        "changed privileges of function imm(text): expected (EXECUTE TO PUBLIC), found nothing",
        "changed privileges of table a: expected nothing, found (SELECT TO catalog_reader)",
        "changed privileges of table b: expected nothing, found (SELECT TO PUBLIC)",
        "changed owner of table ul: expected nothing, found catalog_reader",
    ]
    plain = await read(connection)
    assert not any(each.owner or each.privileges for each in plain.objects.values())


async def test_the_order_of_columns_is_compared_on_request(connection: AsyncConnection) -> None:
    """No statement brings it back, so it is no difference by itself."""
    before = await read(connection)
    await script(connection, "ALTER TABLE ul DROP x CASCADE; ALTER TABLE ul ADD z int, ADD x int")
    await script(connection, "ALTER TABLE inh NO INHERIT ul; ALTER TABLE inh INHERIT ul")
    after = await read(connection)
    await script(connection, "ALTER TABLE ul DROP x CASCADE; ALTER TABLE ul DROP z CASCADE")
    await script(connection, "ALTER TABLE ul ADD x int, ADD z int")
    moved = await read(connection)
    assert shown(difference(after, moved)) == []
    assert after == moved
    assert "changed column order of table ul: expected (z, x), found (x, z)" in shown(
        difference(after, moved, column_order=True)
    )
    assert before != after


async def test_a_not_null_that_was_never_validated_is_a_difference(
    connection: AsyncConnection,
) -> None:
    """PostgreSQL 18 can leave one unproven; the column alone says NOT NULL all the same."""
    version = await connection.scalar(text("SHOW server_version_num"))
    if int(version) < 180000:
        pytest.skip("NOT NULL ... NOT VALID came with PostgreSQL 18")
    before = await read(connection)
    await script(connection, "ALTER TABLE b ADD CONSTRAINT k_there NOT NULL k NOT VALID")
    assert shown(difference(before, await read(connection))) == [
        "changed not null of column b.k: expected False, found True",
        "unexpected constraint b.k_there",
    ]


async def test_the_path_and_the_transaction_of_the_caller_stay(engine: AsyncEngine) -> None:
    """After a good read and after a failed one; a transaction that was open stays open."""
    async with engine.connect() as connection:
        await read(connection)
        assert not connection.in_transaction()
        await connection.execute(text("SET LOCAL search_path = pg_catalog"))
        await connection.execute(text("CREATE TABLE public.kept (id int)"))
        await read(connection)
        assert connection.in_transaction()
        assert await connection.scalar(text("SHOW search_path")) == "pg_catalog"
        assert Key("table", "kept") in (await read(connection)).objects
        await connection.rollback()


async def test_a_read_only_transaction_is_enough(database: Database) -> None:
    """Whoever only looks may take a catalog."""
    engine = database.access.engine("observe")
    async with engine.connect() as connection:
        assert Key("enum", "job_status") in (await read(connection)).objects
    await engine.dispose()


async def test_what_is_excluded_goes_with_all_it_has(connection: AsyncConnection) -> None:
    """Its columns, constraints, indexes, triggers and sequences."""

    def without(plain: Connection) -> Catalog:
        return snapshot(plain, exclude=("a",))

    catalog = await connection.run_sync(without)
    assert not [key for key in catalog.objects if key.name.startswith("a.")]
    assert not {Key("index", "ix_gin"), Key("sequence", "a_ser_seq")} & set(catalog.objects)


async def test_what_an_extension_brought_is_left_out(connection: AsyncConnection) -> None:
    """Its functions and types are the extension's; a column of its type reads bare elsewhere."""
    available = await connection.scalar(
        text("SELECT name FROM pg_available_extensions WHERE name IN ('citext', 'vector') LIMIT 1")
    )
    if available is None:
        pytest.skip("no extension with a type is installed on this server")
    before = await read(connection)
    await connection.execute(text(f"CREATE EXTENSION {available} SCHEMA public"))
    with_it = await read(connection)
    assert shown(difference(before, with_it)) == [f"unexpected extension {available}"]
    assert with_it.fingerprint() == before.fingerprint()
    await connection.execute(text("CREATE SCHEMA other"))
    await connection.execute(text(f"CREATE TABLE other.t (x public.{available})"))
    catalog = await read(connection, "other")
    assert catalog.one(Column, Key("column", "t.x")).type == available


async def test_what_an_object_needs_is_known(connection: AsyncConnection) -> None:
    """Through views, defaults, keys and arrays, for an order that holds."""
    catalog = await read(connection)
    assert catalog.uses[Key("view", "v2")] >= {Key("view", "v1"), Key("column", "b.k")}
    assert catalog.uses[Key("column", "a.arr")] == {Key("enum", "st")}
    assert catalog.uses[Key("column", "a.g")] == {Key("column", "a.name")}
    assert Key("constraint", "a.a_pkey") in catalog.uses[Key("constraint", "b.b_aid_fkey")]
    assert Key("function", "trg()") in catalog.uses[Key("trigger", "a.t1")]
    assert Key("index", "mvu") in catalog.users_of(Key("enum", "st"))
    assert catalog.users_of(Key("column", "b.aid")) >= {Key("view", "v1"), Key("view", "v2")}
