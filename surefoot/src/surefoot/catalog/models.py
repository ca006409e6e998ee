"""The models as a catalog: they are created in a schema of their own, which is rolled back.

1. A savepoint is set; a schema with an unlikely name is created and leads the search path.
2. `metadata.create_all()` creates the models in it, and the catalog is read.
3. Everything is rolled back, also after an error. No object of the database is changed or locked.
"""

import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from traceback import extract_tb

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import CompileError, DBAPIError, NoReferenceError, SQLAlchemyError

from surefoot.catalog import alterations, statements
from surefoot.catalog.claims import LENT, parts
from surefoot.catalog.extensions import missing_extension
from surefoot.catalog.implicit_names import names_as_there
from surefoot.catalog.kinds import Extension, Sequence
from surefoot.catalog.model import NOTHING, Catalog, Key, with_text
from surefoot.catalog.model_indexes import indexes_in_a_transaction
from surefoot.catalog.model_names import catalog_name
from surefoot.catalog.order import in_order
from surefoot.catalog.reading import snapshot
from surefoot.catalog.shadows import OURS, away, create_empty
from surefoot.catalog.shared_types import existing_types
from surefoot.connect.failures import sqlstate
from surefoot.errors import ModelsNotCreatable, SurefootError
from surefoot.errors.disclosure import disclosed
from surefoot.quoting import in_schema, quoted

# Of a statement in a message.
_LONGEST = 120
_NOT_CREATED = "the models cannot be created in an empty schema"
# The SQLSTATE of a schema that does not exist.
_NO_SCHEMA = "3F000"
# Objects of the real schema, members of extensions apart, that an object in the shadow needs.
_BORROWED = text("""
SELECT DISTINCT pg_describe_object(d.refclassid, d.refobjid, 0),
       (SELECT coalesce(e.typname, t.typname)::text FROM pg_type t
        LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
        WHERE d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
        UNION ALL SELECT p.proname || '(' || oidvectortypes(p.proargtypes) || ')' FROM pg_proc p
        WHERE d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
        UNION ALL SELECT c.relname::text FROM pg_class c
        WHERE d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid
        UNION ALL SELECT c.collname::text FROM pg_collation c
        WHERE d.refclassid = 'pg_collation'::regclass AND c.oid = d.refobjid), used.schema
FROM pg_depend d,
     pg_identify_object(d.refclassid, d.refobjid, 0) used,
     pg_identify_object(d.classid, d.objid, 0) user_,
     pg_identify_object_as_address(d.classid, d.objid, 0) address
WHERE d.deptype IN ('n', 'a') AND used.schema = ANY(:real)
  AND d.objid > (SELECT oid FROM pg_namespace WHERE nspname = :shadow)
  AND coalesce(user_.schema, address.object_names[1]) = ANY(:ours)
  -- An array is a member by its element.
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' AND e.classid = d.refclassid
                  AND e.objid IN (d.refobjid, (SELECT t.typelem FROM pg_type t
                                               WHERE d.refclassid = 'pg_type'::regclass
                                               AND t.oid = d.refobjid AND t.typcategory = 'A')))
ORDER BY 1
""")


def models_catalog(
    connection: Connection,
    metadata: Iterable[MetaData],
    schema: str,
    *,
    exclude: Collection[str] = (),
    then: Callable[[Catalog], Iterable[str]] = lambda _: (),
    database: Catalog = NOTHING,
    beside: Collection[str] = (),
    searched: bool = False,
) -> tuple[Catalog, Catalog]:
    """The catalog of the models in an empty schema, and the one after the statements of `then`.

    The schemas `beside` it are empty too, under their own names: events of the models name them.

    Types and functions of extensions are found where they are; one that is available and that the
    models need is created. Types, functions, sequences and
    collations that the models need and only `database` has are created as they are there. Tables
    of another schema than `schema` are not created; a foreign key to one locks it briefly. A name
    that no model gives is no difference: it is that of the object of `database` that is the same.

    On failure: PermissionMissing where the role may not create a schema; ModelsNotCreatable with
    PostgreSQL's message where the models cannot be created.
    """
    with connection.begin_nested() as savepoint:
        try:
            shadow = create_empty(connection, beside)
            apart = [*beside, *map(away, beside)]
            read = partial(
                snapshot, connection, shadow, exclude=exclude, beside=[*beside], apart=apart,
                searched=searched,
            )  # fmt: skip
            given = list(metadata)
            lent: list[Key] = []
            extensions: list[str] = []
            while needed := _with_extensions(
                connection, given, (extensions, lent), (shadow, schema, *beside), database
            ):
                lent = in_order({*lent, *needed}, database.uses)
            found = read(privileges=True)
            if named := list(names_as_there(connection, given, found, database)):
                _execute(connection, named)
                found = read(privileges=True)
            again = found
            if renamed := list(then(found)):
                _execute(connection, renamed)
                again = read()
            return _in_place(found, shadow, beside), _in_place(again, shadow, beside)
        finally:
            if savepoint.is_active:
                savepoint.rollback()


def _in_place(catalog: Catalog, shadow: str, beside: Collection[str]) -> Catalog:
    """The catalog with extensions, and what is named after them, in the real schemas."""
    real = {away(each): each for each in beside}
    objects, moved = dict(catalog.objects), set[str]()
    for key, item in catalog.each(Extension):
        place = item.schema or shadow
        moved.update({place} & {*real})
        objects[key] = replace(item, schema=None if place == shadow else real.get(place, place))
    for each in moved:
        old, new = f"{each}.", f"{quoted(real[each])}."
        objects = {key: with_text(item, old, new) for key, item in objects.items()}
    return replace(catalog, objects=objects)


def _attempt(
    connection: Connection,
    metadata: Iterable[MetaData],
    given: tuple[Iterable[str], Collection[Key]],
    schemas: tuple[str, ...],
    database: Catalog,
) -> Collection[Key]:
    """Create the models behind what they were given; or undo it, and say what else they need.

    On failure: ModelsNotCreatable where only the database has what they need, and it is no part of
    them.
    """
    (extensions, lent), (shadow, schema, *beside) = given, schemas
    real = {schema: None, **{away(each): each for each in beside}}
    with connection.begin_nested() as savepoint:
        with _refused():
            there = f"SCHEMA {quoted(schema)}"
            _execute(
                connection, (f"CREATE EXTENSION {quoted(each)} {there}" for each in extensions)
            )
        for key in lent:
            _execute(connection, _lent(key, database))
        for models in metadata:
            _create(connection, models, {schema: shadow}, beside)
        sides = {"shadow": shadow, "ours": [shadow, *beside], "real": [*real]}
        needed = {
            found: _named(in_schema(real[there], name or ""), database)
            for found, name, there in connection.execute(_BORROWED, sides)
        }
        refused = [found for found, key in needed.items() if key is None or key in lent]
        if refused:
            # Its absence from the models would be a difference that nobody can make.
            raise ModelsNotCreatable(
                f"the models need objects that only the database has: {', '.join(refused)}",
                help="declare them in the models: metadata.create_all() must create them",
            )
        if needed:
            savepoint.rollback()
        else:
            for key in lent:
                _execute(connection, _owned(key, database, metadata))
    keys = {key for key in needed.values() if key is not None}
    return keys | {need for key in keys for need in parts(key, database) if need not in lent}


def _with_extensions(
    connection: Connection,
    metadata: Iterable[MetaData],
    given: tuple[list[str], Collection[Key]],
    schemas: tuple[str, ...],
    database: Catalog,
) -> Collection[Key]:
    """The same, where an extension that is missing is added to those that are given."""
    extensions, _ = given
    try:
        return _attempt(connection, metadata, given, schemas, database)
    except ModelsNotCreatable as error:
        name = missing_extension(connection, error.message)
        if name is None or name in extensions:
            raise
    # The last one is needed by those before it.
    extensions.insert(0, name)
    return _with_extensions(connection, metadata, given, schemas, database)


def _named(name: str, database: Catalog) -> Key | None:
    """The key of an object that can be lent, by its name."""
    keys = (Key(kind, name) for kind in LENT)
    return next((key for key in keys if key in database.objects), None)


def _lent(key: Key, database: Catalog) -> Iterable[str]:
    item = database.objects[key]
    yield "SET LOCAL check_function_bodies = off"
    yield from statements.create(
        key, replace(item, owned_by=None) if isinstance(item, Sequence) else item
    )


def _owned(key: Key, database: Catalog, metadata: Iterable[MetaData]) -> Iterable[str]:
    """Gives a sequence that was lent to the column that owns it, where a model has its table."""
    item = database.objects[key]
    tables = {catalog_name(table) for models in metadata for table in models.tables.values()}
    if isinstance(item, Sequence) and (item.owned_by or "").rpartition(".")[0] in tables:
        yield alterations.own(item)


def _execute(connection: Connection, given: Iterable[str]) -> None:
    for statement in given:
        connection.execute(text(statement.replace(":", r"\:")))


def _create(
    connection: Connection, models: MetaData, schemas: Mapping[str, str], beside: Collection[str]
) -> None:
    far = "SELECT to_regclass(:name) IS NULL"
    ours = [
        each
        for each in models.tables.values()
        if each.schema is None
        or each.schema in (*schemas, *beside)
        # One of another schema that is new may be referred to.
        or connection.scalar(text(far), {"name": f"{quoted(each.schema)}.{quoted(each.name)}"})
    ]
    try:
        # Without checkfirst, which would find the tables of the database.
        connection.execution_options(schema_translate_map=schemas)
        with (
            _refused(),
            existing_types(connection, models, schemas),
            indexes_in_a_transaction(connection),
        ):
            models.create_all(connection, tables=ours, checkfirst=False)
    finally:
        connection.execution_options(schema_translate_map=None)


@contextmanager
def _refused() -> Iterator[None]:
    """A refusal of PostgreSQL, or of SQLAlchemy, in the block is ModelsNotCreatable."""
    try:
        yield
    except (CompileError, NoReferenceError) as error:
        cure = "correct the models"
        if isinstance(error, NoReferenceError):
            cure += ": where that table has a model, import it with the others"
        raise ModelsNotCreatable(f"{_NOT_CREATED}: {error.args[0]}", help=cure) from error
    except DBAPIError as error:
        cause = getattr(error.orig, "__cause__", None) or error.orig
        # The text of asyncpg's error: SQLAlchemy's adds the class, the statement and parameters.
        reason = str(cause.args[0]) if cause is not None and cause.args else str(error)
        # Without the name of the schema, which is that of this process.
        sql = re.sub(rf'"?{OURS}\w+"?\.', "", disclosed(error.statement or ""))
        statement = textwrap.shorten(sql, _LONGEST, placeholder=" …")
        cure = f"correct the models, which give `{statement}`; they must include all objects that "
        cure += "they need"
        if sqlstate(error) == _NO_SCHEMA:
            cure = f"`{statement}` needs it: name all schemas of the models in "
            cure += "Environment(schemas=[…]), the one that new objects get first"
        # The message ends with the reason, which says what is missing.
        raise ModelsNotCreatable(f"{_NOT_CREATED}: {reason}", help=cure) from error
    except (SQLAlchemyError, SurefootError):
        raise
    except Exception as error:
        # A function of the project, or of a library, that listens to an event of the models.
        frame = extract_tb(error.__traceback__)[-1]
        raised = f"{type(error).__name__}: {error} (at {frame.filename}:{frame.lineno})"
        reason = f"metadata.create_all() raised {raised}"
        cure = "correct it there, or keep it out of metadata.create_all(): events and types of the "
        cure += "models are given a connection of asyncpg"
        raise ModelsNotCreatable(f"{_NOT_CREATED}: {reason}", help=cure) from error
