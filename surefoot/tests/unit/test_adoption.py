"""An env.py is read, and written with three lines in place of what ran migrations."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from surefoot.adoption.changes import Change
from surefoot.adoption.env_file import EnvFile
from surefoot.adoption.reading import read_env
from surefoot.adoption.rewriting import rewritten
from surefoot.adoption.statements import DECORATOR
from surefoot.errors import ConfigurationInvalid, FileNotWritable

HEAD = "from alembic import context\nfrom shop.models import Base\nconfig = context.config\n"
RUN = "with context.begin_transaction():\n    context.run_migrations()\n"
TAIL = "if context.is_offline_mode():\n    offline()\nelse:\n    online()\n"
SYNC = '''
from sqlalchemy import engine_from_config, pool

def offline():
    """Emit SQL."""
    url = config.get_main_option("sqlalchemy.url")
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()

def online():
    engine = engine_from_config(
        config.get_section(config.config_ini_section, {}), prefix="sqlalchemy.",
        poolclass=pool.NullPool,
    )
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata{options})
        with context.begin_transaction():
            context.run_migrations()
'''
ASYNC = """
import asyncio
from sqlalchemy.ext.asyncio import create_async_engine

def run(connection):
    context.configure(connection=connection, target_metadata=Base.metadata, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()

async def connect():
    engine = create_async_engine(settings.url, future=True)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()

def online():
    connection = config.attributes.get("connection", None)
    if connection is None:
        asyncio.run(connect())
    else:
        run(connection)
"""


def read(text: str) -> EnvFile:
    return read_env(Path("env.py"), textwrap.dedent(text))


def online(body: str, *, above: str = "") -> EnvFile:
    """An env.py whose only function runs these statements."""
    inner = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return read(f"{HEAD}{above}\ndef online():\n{inner}\n\nonline()\n")


def connected(engine: str, options: str = "") -> str:
    """Statements that connect by an engine, and run."""
    configure = f"context.configure(connection=connection, target_metadata=Base.metadata{options})"
    inner = textwrap.indent(f"{configure}\n{RUN}", "    ")
    return f"with {engine}.connect() as connection:\n{inner}"


def test_a_synchronous_file_keeps_what_is_not_about_running() -> None:
    """The functions that run go, with the imports that only they need; all else stays."""
    text = HEAD + SYNC.replace("{options}", "") + f"\n# The entry.\n{TAIL}\nprint('end')  # kept\n"
    found = read(text)
    assert (found.is_async, found.left, found.replaced) == (False, [], [])
    assert rewritten(found) == (
        "from alembic import context\n"
        "from shop.models import Base\n"
        "from surefoot import Environment\n"
        "config = context.config\n\n\n"
        "Environment(metadata=Base.metadata, "
        'database=config.get_main_option("sqlalchemy.url")).run()'
        "\n\nprint('end')  # kept\n"
    )
    assert read(rewritten(found)).is_adopted


def test_an_asynchronous_file_gives_its_url_and_its_options() -> None:
    """Also options that stand in a dictionary of the module."""
    options = 'OPTIONS = dict(compare_type=True, version_table="v", render_as_batch=True)\n'
    found = read(HEAD + options + ASYNC + "\nonline()\n")
    assert (found.is_async, found.left) == (True, [])
    assert rewritten(found).endswith(
        '\n\nEnvironment(metadata=Base.metadata, database=settings.url, version_table="v").run()\n'
    )
    assert "asyncio" not in rewritten(found)
    assert {each.name: each.treatment.word for each in found.options} == {
        "compare_type": "composed",
        "version_table": "heard",
        "render_as_batch": "refused",
    }


def test_a_look_for_a_running_loop_is_about_running() -> None:
    """It decides between `asyncio.run()` and a task."""
    looked = ASYNC.replace(
        "        asyncio.run(connect())\n",
        "        try:\n            asyncio.get_running_loop()\n"
        "        except RuntimeError:\n            asyncio.run(connect())\n"
        "        else:\n            asyncio.create_task(connect())\n",
    )
    assert looked != ASYNC
    assert read(HEAD + looked + "\nonline()\n").left == []


@pytest.mark.parametrize(
    ("word", "enter"),
    [("", "stack.enter_context"), ("", "stack.push"), ("await ", "stack.enter_async_context")],
)
def test_a_stack_of_contexts_is_about_running(word: str, enter: str) -> None:
    """The connection and the transaction are entered one after the other."""
    stack, keyword = ("AsyncExitStack", "async ") if word else ("ExitStack", "")
    body = f"""
        {keyword}with contextlib.{stack}() as stack:
            connection = config.attributes.get("connection", None)
            if not connection:
                connection = {word}{enter}(settings.engine.connect())
            context.configure(connection=connection, target_metadata=Base.metadata)
            {word}{enter}(context.begin_transaction())
            context.run_migrations()
    """
    text = f"{HEAD}\n{keyword}def online():\n{textwrap.indent(textwrap.dedent(body), '    ')}"
    found = read(f"{text}\n\n{'asyncio.run(online())' if word else 'online()'}\n")
    assert (found.left, found.database) == ([], "settings.engine.url")


URLS = {
    "of a function of the file": (
        connected("create_engine(get_url())"),
        "def get_url():\n    return 'postgresql://'\n",
        "get_url",
    ),
    "of an engine of the application": (
        connected("engine"),
        "from shop.db import engine\n",
        "engine.url",
    ),
    "of a function that makes an engine": (connected("get_db().engine"), "", "get_db().engine.url"),
    "of an engine in the file": (
        connected("engine"),
        "engine = create_engine(os.environ['URL'])\n",
        "os.environ['URL']",
    ),
    "of a section that is changed": (
        "section = config.get_section(config.config_ini_section)\n"
        "section['sqlalchemy.url'] = str(settings.url)\n"
        + connected("engine_from_config(section)"),
        "",
        "str(settings.url)",
    ),
    "of an option that is set": (
        "config.set_main_option('sqlalchemy.url', url().replace('%', '%%'))\n"
        "section = config.get_section(config.config_ini_section)\n"
        "engine = engine_from_config(section)\n" + connected("engine"),
        "def url():\n    return ''\n",
        "url",
    ),
    "of another section": (
        connected("engine_from_config(config.get_section('shop'))"),
        "",
        'config.get_section_option("shop", "sqlalchemy.url")',
    ),
    "of a local variable": (
        "url = settings.url\nurl_text = str(url)\nif not url:\n    raise ValueError('no URL')\n"
        + connected("AsyncEngine(create_engine(url_text))"),
        "",
        "str(settings.url)",
    ),
    "of an f-string in lines": (
        "url = (\n    f\"p://{os.environ['A']}\"\n    f\"@{os.environ['B']!s:>{width}}{{}}\"\n)\n"
        + connected("create_engine(url)"),
        "width = 9\n",
        '"p://{}@{!s:>{}}{{}}".format(os.environ["A"], os.environ["B"], width)',
    ),
    "of an option with another prefix": (
        "section = config.get_section(config.config_ini_section)\nassert section is not None\n"
        "section['shop.url'] = settings.url\n"
        "engine = engine_from_config(section, prefix='shop.')\n" + connected("engine"),
        "",
        "settings.url",
    ),
    "of an option of the ini file with another prefix": (
        connected("engine_from_config(config.get_section(config.config_ini_section), 'shop.')"),
        "",
        'config.get_main_option("shop.url")',
    ),
    "of one that is made where no connection is given": (
        "engine = config.attributes.get('connection', None)\n"
        "if engine is None:\n    engine = create_engine(settings.url)\n" + connected("engine"),
        "",
        "settings.url",
    ),
}


@pytest.mark.parametrize(("body", "above", "expected"), URLS.values(), ids=URLS)
def test_the_url_is_found(body: str, above: str, expected: str) -> None:
    """It is the one that the engine of the file connects to."""
    found = online(body, above=above)
    assert (found.database, found.left) == (expected, [])
    assert read(rewritten(found)).is_adopted


ENGINES = {
    "arguments of the driver": "create_engine(URL, poolclass=NullPool, connect_args={'ssl': True})",
    "a map of schemas": "create_engine(URL).execution_options(schema_translate_map={None: 'a'})",
    "a JSON serializer": "create_engine(url=URL, json_serializer=dumps)",
}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_what_an_engine_has_beside_its_url_is_named(engine: str) -> None:
    """Environment connects by the URL alone."""
    (found,) = online(connected(engine)).left
    assert "URL" in found.where


def test_a_listener_to_an_engine_would_hear_nothing() -> None:
    """The engine is not used any more."""
    listener = "@event.listens_for(engine, 'do_connect')\ndef token(*_):\n    pass\n"
    above = f"engine = create_engine(URL)\n{listener}"
    (found,) = online(connected("engine"), above=above).left
    assert found.code == "event.listens_for(engine, 'do_connect')"


@pytest.mark.slow
def test_a_search_path_that_depends_on_something_is_named() -> None:
    """That the server is PostgreSQL is known."""
    statement = "    if tenant:\n        connection.execute('SET search_path TO a')\n"
    body = connected("create_engine(URL)").replace("    context", f"{statement}    context", 1)
    (found,) = online(body).left
    assert "search_path" in found.code
    known = body.replace("if tenant", "if connection.dialect.name == 'postgresql'")
    assert online(known).left == []


def test_a_check_of_a_variable_is_kept_where_more_than_the_url_needs_it() -> None:
    """A missing tenant has no error of its own."""
    check = "if not name:\n    raise ValueError('-x name=… is missing')\n"
    body = f"name = get()\n{check}" + connected("create_engine(URL + name)")
    assert online(body).left == []
    (found,) = online(body.replace("metadata)", "metadata, version_table=name)")).left
    assert ("raise" in found.code, "move the check to" in found.where) == (True, True)


@pytest.mark.parametrize(
    "more", ["OPTIONS['tag'] = 'b'\n", "OPTIONS.update(tag='b')\n", "OPTIONS = dict(OPTIONS)\n"]
)
def test_a_dictionary_of_options_that_is_changed_is_passed_on(more: str) -> None:
    """As it is when the file runs."""
    found = online(
        connected("create_engine(URL)", ", **OPTIONS"), above=f"OPTIONS = dict(tag='a')\n{more}"
    )
    assert (found.left, found.options, found.spread) == ([], [], ["OPTIONS"])
    assert "options={**OPTIONS}" in rewritten(found)


@pytest.mark.parametrize(
    "made",
    [
        "given = {}\ngiven.update(OPTIONS)\n",
        "given = {**OPTIONS}\n",
        "given = {'tag': 'a'}\ngiven.update(version_table='v', compare_type=True)\n",
        "given = dict()\n",
        "given = {'tag': 'a', 'compare_type': True}\ngiven['version_table'] = 'v'\n",
    ],
)
def test_a_dictionary_of_options_that_the_function_makes(made: str) -> None:
    """As the statements complete it; what belongs to a way of running goes."""
    above = "OPTIONS = dict(tag='a', version_table='v', compare_type=True)\n"
    way = "if connection is None:\n    given['url'] = URL\ngiven['literal_binds'] = True\n"
    body = f"{made}{way if 'dict()' not in made else ''}"
    found = online(body + connected("create_engine(URL)", ", **given"), above=above)
    assert (found.left, found.spread) == ([], [])
    expected = (
        {} if "dict()" in made else {"tag": "'a'", "version_table": "'v'", "compare_type": "True"}
    )
    assert {each.name: each.value for each in found.options} == expected


def test_a_dictionary_that_a_condition_completes_is_for_a_person() -> None:
    """Only a run can tell its items."""
    body = "given = {}\nif os.environ.get('TAG'):\n    given['tag'] = 'b'\n"
    found = online(body + connected("create_engine(URL)", ", **given"))
    assert [each.code for each in found.left] == ["given['tag'] = 'b'"]


def test_an_option_that_is_left_out_need_not_be_clear() -> None:
    """A batch depends on the connection in many files."""
    batch = ", render_as_batch=connection.dialect.name == 'sqlite'"
    found = online(connected("create_engine(URL)", batch))
    assert (found.left, [each.name for each in found.options]) == ([], ["render_as_batch"])
    assert "batch" not in rewritten(found)


def test_two_values_of_an_option_are_no_guess() -> None:
    """One for a connection goes before one of `--sql`."""
    body = connected("create_engine(URL)", ", version_table='a'")
    configure = "context.configure(connection=connection, version_table='b')\n"
    (found,) = online(f"{body}    {configure}").left
    assert (found.code, "two values" in found.where) == ("'b'", True)


def test_what_is_defined_in_a_function_is_kept_where_it_is_needed() -> None:
    """A hook and an import that the options name stand before the call."""
    body = (
        "from shop.filters import no_views\n"
        "def named(name, kind, parents):\n    return kind != 'schema'\n"
        + connected(
            "create_engine(URL)",
            ", include_name=named, include_object=no_views, on_version_apply=lambda **_: None",
        )
    )
    found = online(body)
    assert found.left == []
    assert rewritten(found).endswith(
        "from shop.filters import no_views\n\n\n"
        "def named(name, kind, parents):\n    return kind != 'schema'\n\n\n"
        "Environment(\n    metadata=Base.metadata,\n    database=URL,\n    include_name=named,\n"
        "    include_object=no_views,\n"
        '    options={"on_version_apply": lambda **_: None},\n).run()\n'
    )


def test_a_function_is_kept_with_what_it_needs_of_the_function_around_it() -> None:
    """An import and another function; a local variable it cannot have."""
    body = (
        "from shop.filters import views\n"
        "def is_view(name):\n    return name in views\n"
        "def named(name, kind, parents):\n    kinds = {kind}\n    return not is_view(name)\n"
        + connected("create_engine(URL)", ", include_name=named")
    )
    found = online(body)
    assert found.left == []
    assert "from shop.filters import views\n" in rewritten(found)
    assert "\n\ndef is_view(name):\n" in rewritten(found)
    unlike = body.replace("{kind}", "0, *wanted")
    (remark,) = online(f"name = kinds = wanted = 1\n{unlike}").left
    assert (remark.line, remark.where) == (10, "move it to the top level of the file, with wanted")


REMARKS = {
    "search path": (
        """connection.execute(text("SELECT set_config('search_path', 'a', false)"))""",
        "name the schema in",
    ),
    "schema": (
        'connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {name}"))',
        "create the schema",
    ),
    "SQL": ('connection.execute(text("SELECT refresh()"))', "run it in a revision"),
    "default schema": ("connection.dialect.default_schema_name = 'shop'", "Environment(schemas=…)"),
    "a call": ("prepare_data_folder()", "move it to the top level"),
    "a listener": ("event.listen(engine, 'connect', prepare)", "?options=-cNAME%3DVALUE"),
    "a loop": ("for tenant in tenants:\n    context.run_migrations()", "an `alembic -x` argument"),
    "arguments": ("context.run_migrations(tenant='a')", "revisions get no arguments"),
    "a check": ("if not is_allowed():\n    raise PermissionError", "move the check to"),
    "a condition": ("if is_wanted():\n    context.run_migrations()", "only a run can answer this"),
    "a way out": ("if not is_wanted():\n    return", "only a run can answer this"),
    "a decorator": (
        "@event.listens_for(connection, 'before_cursor_execute')\ndef log(*_):\n    print(_)",
        "delete it",
    ),
    "a second database": (
        "with create_engine(OTHER).connect() as other:\n    context.run_migrations()",
        "one command migrates one database",
    ),
    "a block": ("with lock():\n    context.run_migrations()", "the run is no longer inside of it"),
    "a block beside it": (
        "with open(PATH) as file:\n    file.write(str(1))",
        "move it to the",
    ),
    "a loop beside it": ("for each in cache():\n    forget(each)", "move it to the top level"),
    "a call of a run's variable": ("prepare(connection)", "the top level has no connection"),
    "a caller of a run": ("repeated(3, context.run_migrations())", "delete it"),
    "folders": ("context.script.version_locations = [FOLDER]", "name the folders in the ini file"),
}


@pytest.mark.parametrize(("statement", "where"), REMARKS.values(), ids=REMARKS)
def test_what_is_not_understood_is_named_with_its_place(statement: str, where: str) -> None:
    """Nothing is lost without a word."""
    (found,) = online(connected("create_engine(URL)") + textwrap.indent(statement, "    ")).left
    assert found.code in statement
    assert where in found.where
    assert found.line > 6


def test_a_caller_that_is_given_the_run_is_no_place_for_it() -> None:
    """A retry or a thread: above the run there is nothing that it could call."""
    body = "def migrate():\n    context.run_migrations()\nrepeated(migrate, times=3)\n"
    found = read_env(Path("env.py"), f"from alembic import context\n{body}").left
    assert (4, DECORATOR) in [(each.line, each.where) for each in found]


def test_folders_that_env_py_names_are_for_the_ini_file() -> None:
    """Surefoot reads the revisions without env.py."""
    line = "context.script.version_locations = [FOLDER]\n"
    (found,) = read_env(Path("env.py"), HEAD + line + SYNC.replace("{options}", "") + TAIL).left
    assert "`version_locations = …`" in found.where


def test_the_number_of_a_lock_goes_with_it() -> None:
    """Nothing else reads it."""
    body = (
        "    key = number_of('shop')\n"
        "    connection.execute(text('SELECT pg_advisory_lock(:key)'), {'key': key})\n"
    )
    found = online(connected("create_engine(URL)") + body)
    assert found.left == []
    assert [each.line for each in found.replaced] == [11]


def test_a_coroutine_has_no_url() -> None:
    """That of `--sql` is taken, or a person is asked."""
    body = "async def made():\n    return shop.engine\n" + connected("(await made())")
    assert online(body).database is None
    offline = "def offline():\n    context.configure(url=shop.url)\noffline()\n"
    assert online(body + offline).database == "shop.url"


PATHS = {
    "'SET search_path TO shop, public'": '"-csearch_path=shop,public"',
    "text(f'set search_path = \"{tenant()}\";')": "f'-csearch_path=\"{tenant()}\"'",
    "text(f\"SET search_path TO {os.environ['S']}\")": '"-csearch_path={}".format(os.environ["S"])',
    "'SET LOCAL search_path TO %s' % tenant()": 'f"-csearch_path={tenant()}"',
    "'SET search_path TO %s, public' % (name,)": 'f"-csearch_path={settings.schema},public"',
    "'SET search_path TO {}'.format(name)": 'f"-csearch_path={settings.schema}"',
}


@pytest.mark.parametrize(("sql", "option"), PATHS.items(), ids=PATHS)
def test_a_search_path_becomes_an_option_of_the_url(sql: str, option: str) -> None:
    """Together with SQLAlchemy's name for the schema that it leads to."""
    set_path = f"connection.execute({sql})\nconnection.dialect.default_schema_name = name"
    body = "name = settings.schema\n" + connected("create_engine(URL)")
    found = online(
        body.replace(
            "    context.conf", f"{textwrap.indent(set_path, '    ')}\n    context.conf", 1
        )
    )
    assert (found.search_path, found.left) == (option, [])
    assert f'database=make_url(URL).update_query_dict({{"options": {option}}})' in rewritten(found)
    assert "from sqlalchemy import make_url\nfrom surefoot import Environment\n" in rewritten(found)


def test_locks_and_timeouts_are_replaced_by_those_of_surefoot() -> None:
    """It is said; a statement for SQLite is nothing."""
    found = online(
        connected("create_engine(URL)")
        + "    connection.execute(text(\"SET lock_timeout = '4s'\"))\n"
        "    connection.execute(text('SELECT pg_advisory_lock(1)'))\n"
        "    connection.execute(text('PRAGMA foreign_keys=ON'))\n"
        "    connection.commit()\n    logger.info('done')\n"
    )
    assert (found.left, len(found.replaced)) == ([], 2)


def test_a_url_or_an_option_that_only_shows_in_a_run_is_no_guess() -> None:
    """The line is named instead."""
    body = "url = a()\nurl = b()\n" + connected("create_engine(url)", ", version_table=url")
    found = online(body)
    assert (found.database, found.options) == (None, [])
    assert sorted(each.where.partition(";")[0] for each in found.left) == [
        "give it to Environment",
        "the URL that it connects to was not found",
    ]


def test_a_file_of_flask_migrate_brings_the_context_of_its_application() -> None:
    """`alembic` and `surefoot` have none; batches are left out."""
    found = read(
        "from flask import current_app\nfrom alembic import context\n"
        "def get_engine():\n    return current_app.extensions['migrate'].db.engine\n"
        "def online():\n"
        "    def process_revision_directives(context, revision, directives):\n"
        "        if directives[0].upgrade_ops.is_empty():\n            directives[:] = []\n"
        "    args = args_of(current_app)\n"
        "    if args.get('process_revision_directives') is None:\n"
        "        args['process_revision_directives'] = process_revision_directives\n"
        "    engine = get_engine()\n    with engine.connect() as connection:\n"
        "        context.configure(connection=connection, tag=TAG, target_metadata=M, **args)\n"
        "        with context.begin_transaction():\n            context.run_migrations()\n"
        "online()\n"
    )
    assert (found.is_of_flask, found.left) == (True, [])
    text = rewritten(found)
    assert '    ScriptInfo(os.environ.get("FLASK_APP")).load_app().app_context().push()\n' in text
    assert text.endswith(
        "Environment(\n    metadata=M,\n    database=get_engine().url,\n    options={\n"
        '        "tag": TAG,\n'
        "        **{n: each for n, each in args_of(current_app).items() "
        'if n != "render_as_batch"},\n    },\n).run()\n'
    )


def test_options_that_a_function_is_given_are_no_options_of_the_module() -> None:
    """Its caller has them; and a lock of the version table is Surefoot's own."""
    found = read(
        "from alembic import context\nfrom db import engine\n"
        "def run(connection, **given):\n"
        "    context.configure(connection=connection, target_metadata=M, **given)\n"
        "    connection.execute(text('LOCK TABLE alembic_version'))\n"
        "    context.run_migrations()\n"
        "with engine.connect() as connection:\n    run(connection)\n"
    )
    assert [each.where for each in found.left] == [
        "give it to Environment; given is known in a run only"
    ]
    assert [each.line for each in found.replaced] == [5]
    assert found.spread == []


def test_a_file_that_is_not_python_is_refused() -> None:
    """With its line."""
    with pytest.raises(ConfigurationInvalid, match=r"^env\.py:2 cannot be used: it is not Python"):
        read("a = 1\nb = = 2\n")


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Its mode, its line ends and the file behind a link stay; one that was edited is refused."""
    path, link = tmp_path / "real.py", tmp_path / "env.py"
    path.write_bytes(b"a = 1\r\n")
    path.chmod(0o640)
    link.symlink_to(path)
    change = Change(link, "a = 1\n", "a = 2\n")
    change.write()
    change.write()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"a = 2\r\n", 0o640)
    assert [*tmp_path.iterdir()] in ([path, link], [link, path])
    path.write_bytes(b"a = 3\n")
    with pytest.raises(FileNotWritable, match="changed meanwhile"):
        change.write()
    assert path.read_bytes() == b"a = 3\n"
    with pytest.raises(FileNotWritable):
        Change(path / "lock", None, "").write()
