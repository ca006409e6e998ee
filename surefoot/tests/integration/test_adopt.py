"""Projects of every layout are adopted by `surefoot adopt --write`, and give the same schema.

Each begins as Alembic, Flask-Migrate or a team left it. The schema is compared with that of plain
Alembic: the project's own env.py runs where it uses asyncpg, else the same revisions on one that
does, as no other driver is installed for the tests.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from harness.commands import run_alembic
from harness.databases import Database, Databases, engine, execute, value
from harness.forks import Result, forks
from harness.projects import ASYNC_ENV, FILES, FIRST, INI, adopt, content, project
from harness.server import LIBRARY
from surefoot.catalog import Catalog, snapshot

pytestmark = pytest.mark.slow

MODELS = "from app.models import metadata as target_metadata"
ENGINE_ENV = '''\
"""Written by hand for psycopg2."""

import os

from alembic import context
from sqlalchemy import create_engine, text

from app.models import metadata

URL = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:")
«above»

def online():
    engine = create_engine(URL)
    with engine.connect() as connection:
        «first»
        context.configure(connection=connection, target_metadata=metadata, compare_type=True)
        with context.begin_transaction():
            context.run_migrations()


online()
'''
TENANT = 'tenant = context.get_x_argument(as_dictionary=True).get("schema", "public")'
# A table that revisions make, and that neither the models nor autogenerate are about.
FILTERED = {
    "migrations/env.py": ASYNC_ENV.replace(
        "target_metadata=metadata",
        "target_metadata=metadata, include_object=lambda _, name, *rest: name != 'places'",
    ),
    "migrations/versions/1a_orders.py": FIRST.replace(
        "def upgrade():", "def upgrade():\n    op.execute('CREATE TABLE places (id int)')"
    ),
}
SET_TENANT = """connection.execute(text('SET search_path TO "%s"' % tenant))
        connection.commit()
        connection.dialect.default_schema_name = tenant"""
SET_SHOP = 'connection.execute(text("SET search_path TO shop, public"))'
FLASK_ENV = '''\
import logging
from logging.config import fileConfig

from flask import current_app

from alembic import context

config = context.config
logger = logging.getLogger("alembic.env")


def get_engine():
    try:
        return current_app.extensions["migrate"].db.get_engine()
    except (TypeError, AttributeError):
        return current_app.extensions["migrate"].db.engine


def get_engine_url():
    return get_engine().url.render_as_string(hide_password=False).replace("%", "%%")


config.set_main_option("sqlalchemy.url", get_engine_url())
target_db = current_app.extensions["migrate"].db


def get_metadata():
    return target_db.metadatas[None]


def run_migrations_offline():
    url = config.get_main_option("sqlalchemy.url")
    context.configure(url=url, target_metadata=get_metadata(), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online():
    """Run migrations in 'online' mode."""

    def process_revision_directives(context, revision, directives):
        if getattr(config.cmd_opts, "autogenerate", False):
            if directives[0].upgrade_ops.is_empty():
                directives[:] = []
                logger.info("No changes in schema detected.")

    conf_args = current_app.extensions["migrate"].configure_args
    if conf_args.get("process_revision_directives") is None:
        conf_args["process_revision_directives"] = process_revision_directives

    connectable = get_engine()

    with connectable.connect() as connection:
        context.configure(connection=connection, target_metadata=get_metadata(), **conf_args)

        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
'''
# The part of Flask that the file uses.
FLASK = """\
import os
from types import SimpleNamespace

from sqlalchemy import make_url

from app.models import metadata

current_app = SimpleNamespace(extensions={})


def has_app_context():
    return bool(current_app.extensions)


def push():
    url = make_url(os.environ["DATABASE_URL"]).set(drivername="postgresql+psycopg2")
    db = SimpleNamespace(get_engine=lambda: SimpleNamespace(url=url), metadatas={None: metadata})
    given = {"compare_type": True, "render_as_batch": True}
    current_app.extensions["migrate"] = SimpleNamespace(db=db, configure_args=given)
"""
FLASK_CLI = """\
import os
from types import SimpleNamespace

from flask import push


def load_dotenv():
    os.environ.setdefault("FLASK_APP", "shop:create_app")  # as in .flaskenv


class ScriptInfo:
    def __init__(self, app_import_path=None):
        self.path = app_import_path

    def load_app(self):
        assert self.path == "shop:create_app"
        return SimpleNamespace(app_context=lambda: SimpleNamespace(push=push))
"""


@dataclass(frozen=True)
class Layout:
    """The files of a project, beside those that every one has; and how its commands are typed."""

    files: Mapping[str, str | None] = field(default_factory=dict)
    # The template of `alembic init` that made it.
    template: str | None = None
    # Whether its own env.py runs on asyncpg.
    is_plain: bool = False
    # The driver in the URL of its ini file.
    driver: str = "asyncpg"
    options: Sequence[str] = ()
    # The schema of the application, which exists.
    schema: str = "public"

    def write(self, folder: Path, url: str) -> Path:
        """The project in a folder, for the database at that URL."""
        project(folder, {**FILES, **self.files})
        if self.template is not None:
            (folder / "alembic.ini").unlink()
            for each in ("env.py", "script.py.mako"):
                (folder / "migrations" / each).unlink()
            (folder / "migrations").rename(folder / "kept")
            words = ("init", "-t", self.template, "migrations")
            done = forks().start("alembic", *words, env={}, cwd=folder).wait()
            assert done.code == 0, done.err
            (folder / "migrations" / "versions").rmdir()
            (folder / "kept" / "versions").rename(folder / "migrations" / "versions")
            (folder / "kept").rmdir()
            replace(folder / "migrations" / "env.py", "target_metadata = None", MODELS)
        self.point(folder, url)
        return folder

    def point(self, folder: Path, url: str) -> None:
        """Let the ini file of a template name that database."""
        if self.template is not None:
            told = url.replace("postgresql:", f"postgresql+{self.driver}:").replace("%", "%%")
            replace(folder / "alembic.ini", "sqlalchemy.url = .*", f"sqlalchemy.url = {told}")

    def upgrade(self, folder: Path, database: Database) -> Result:
        """`alembic upgrade head`."""
        self.point(folder, database.url)
        return run_alembic(*self.options, "upgrade", "head", url=database.url, cwd=folder)


def replace(path: Path, pattern: str, text: str) -> None:
    old = path.read_text("utf-8")
    path.write_text(re.sub(pattern, lambda _: text, old, count=1), "utf-8")


def by_hand(first: str = "", above: str = "") -> dict[str, str | None]:
    return {"migrations/env.py": ENGINE_ENV.replace("«first»", first).replace("«above»", above)}


LAYOUTS = {
    "async template": Layout(template="async", is_plain=True),
    "sync template": Layout(template="generic", driver="psycopg2"),
    "pyproject template": Layout(template="pyproject_async", is_plain=True),
    "pyproject.toml alone": Layout(
        {
            **by_hand(),
            "alembic.ini": None,
            "pyproject.toml": '[tool.alembic]\nscript_location = "migrations"\n'
            'prepend_sys_path = ["."]\n',
        }
    ),
    "Flask-Migrate": Layout(
        {
            "alembic.ini": None,
            # No script_location; the path is that of the part of Flask.
            "migrations/alembic.ini": "[alembic]\nprepend_sys_path = .\n",
            "migrations/env.py": FLASK_ENV,
            "flask/__init__.py": FLASK,
            "flask/cli.py": FLASK_CLI,
        },
        options=("-c", "migrations/alembic.ini"),
    ),
    "a filter": Layout(FILTERED, is_plain=True),
    "psycopg2 from the environment": Layout(by_hand()),
    "a schema of its own": Layout(by_hand(SET_SHOP), schema="shop"),
    "tenants": Layout(by_hand(SET_TENANT, TENANT), schema="acme", options=("-x", "schema=acme")),
}


@pytest.fixture(params=LAYOUTS.values(), ids=[*LAYOUTS])
def layout(request: pytest.FixtureRequest) -> Layout:
    found: Layout = request.param
    return found


async def plain(layout: Layout, folder: Path, databases: Databases) -> Database:
    """A database at head, by plain Alembic."""
    made = await databases.empty()
    if layout.schema != "public":
        await execute(made.url, f"CREATE SCHEMA {layout.schema}")
        reached = f'ALTER ROLE CURRENT_USER IN DATABASE "{made.name}" SET search_path'
        await execute(made.url, f"{reached} = {layout.schema}, public")
    own = layout if layout.is_plain else Layout()
    done = own.upgrade(own.write(folder, made.url), made)
    assert done.code == 0, done.err
    if layout.schema != "public":
        await execute(made.url, f"{reached.replace('SET', 'RESET')}")
    return made


async def catalog(database: Database, schema: str) -> Catalog:
    async with engine(database.access, "observe") as made, made.connect() as connection:
        return await connection.run_sync(partial(snapshot, schemas=[schema]))


async def test_a_layout_is_adopted(layout: Layout, databases: Databases, tmp_path: Path) -> None:
    """Shown, written, run on an empty database and on one at head; then there is nothing to do."""
    theirs = await plain(layout, tmp_path / "plain", databases)
    ours = await databases.empty()
    await execute(ours.url, f"CREATE SCHEMA IF NOT EXISTS {layout.schema}")
    folder = layout.write(tmp_path / "adopted", ours.url)
    before = content(folder)

    shown = adopt(folder, url=ours.url)
    assert shown.code == 0, shown.err
    assert content(folder) == before
    assert "\n+Environment(" in shown.out
    assert "models     the head agrees with them" in shown.out
    assert "empty: no revision yet, 2 pending; no ledger yet; its role may create it" in shown.out
    done = adopt(folder, "--write", url=ours.url)
    assert done.code == 0, done.err

    done = layout.upgrade(folder, ours)
    assert done.code == 0, done.err
    assert ("Running upgrade 1a -> 2b" in done.err) == (layout.template is not None)
    assert await catalog(ours, layout.schema) == await catalog(theirs, layout.schema)
    if not layout.options or layout.options[0] != "-x":  # which the command has not
        done = forks().start("surefoot", "drift", env={"DATABASE_URL": ours.url}, cwd=folder).wait()
        assert (done.code, "INFO" in done.err) == (0, False), done.err
    assert await value(ours.url, f"SELECT count(*) FROM {layout.schema}.alembic_version_ledger")

    layout.point(folder, theirs.url)
    runs = forks().start_many(
        "alembic",
        *layout.options,
        "upgrade",
        "head",
        count=2,
        env={"DATABASE_URL": theirs.url},
        cwd=folder,
    )
    for run in runs:
        found = run.wait()
        assert found.code == 0, found.err
    adopted = f"SELECT count(*) FROM {layout.schema}.alembic_version_ledger"
    assert await value(theirs.url, f"{adopted} WHERE outcome = 'adopted'") == 2

    after = content(folder)
    assert "nothing to do: the project is adopted" in adopt(folder, "--write").err
    assert content(folder) == after

    if layout.is_plain:
        await leaves_again(layout, folder, before, theirs)


async def leaves_again(
    layout: Layout, folder: Path, before: Mapping[str, bytes], database: Database
) -> None:
    """As docs/adopting.md says: plain Alembic goes on where Surefoot stopped."""
    (folder / "migrations" / "env.py").write_bytes(before["migrations/env.py"])
    (folder / "migrations" / "revisions.lock").unlink()
    page = (LIBRARY / "docs" / "adopting.md").read_text("utf-8")
    await execute(database.url, page.rpartition("```sql")[2].partition("```")[0])
    done = layout.upgrade(folder, database)
    assert (done.code, "surefoot" in done.err) == (0, False), done.err
    assert await value(database.url, "SELECT version_num FROM alembic_version") == "2b"
    left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'alembic_version\\_%'"
    assert await value(database.url, left) == 1, "the key of the version table alone"


async def test_two_projects_in_one_database(databases: Databases, tmp_path: Path) -> None:
    """Each has its version table, and gets its ledger beside it."""
    database = await databases.empty()
    folders = []
    for name in ("shop", "billing"):
        named = f'target_metadata=metadata, version_table="{name}_version"'
        files = {
            path: text and text.replace('"orders"', f'"{name}"').replace("orders", name)
            for path, text in FILES.items()
        }
        files["migrations/env.py"] = ASYNC_ENV.replace("target_metadata=metadata", named)
        folders.append(project(tmp_path / name, files))
    for folder in folders:
        done = run_alembic("upgrade", "head", url=database.url, cwd=folder)
        assert done.code == 0, done.err
    for folder in folders:
        done = adopt(tmp_path, folder.name, "--write", url=database.url)
        assert done.code == 0, done.err
        assert f"version table {folder.name}_version, ledger {folder.name}_version_led" in done.out
        assert ": at head (2b); no ledger yet; its role may create it" in done.out
        done = run_alembic("upgrade", "head", url=database.url, cwd=folder)
        assert done.code == 0, done.err
        assert await value(database.url, f"SELECT count(*) FROM {folder.name}_version_ledger") == 2

    new = await databases.empty()
    first, second = folders
    assert run_alembic("upgrade", "head", url=new.url, cwd=first).code == 0
    assert "not-adopted" in run_alembic("upgrade", "head", url=new.url, cwd=second).err
    said = ("ops", "adopt", "base", "--reason", "tables of shop", "--execute")
    env = {"DATABASE_URL": new.url}
    done = forks().start("surefoot", *said, env=env, cwd=second).wait()
    assert done.code == 0, done.err
    done = run_alembic("upgrade", "head", url=new.url, cwd=second)
    assert done.code == 0, done.err


NOWHERE = "postgresql://nobody@localhost:1/nothing"


@pytest.mark.parametrize("command", ["status", "lint"])
async def test_a_command_before_it_is_adopted(
    layout: Layout, databases: Databases, tmp_path: Path, command: str
) -> None:
    """It names `surefoot adopt`, with the database of env.py and without; nothing is run."""
    database = await databases.empty()
    for url in (database.url, NOWHERE):
        folder = layout.write(tmp_path / str(len(url)), url)
        env = {"DATABASE_URL": url}
        done = forks().start("surefoot", command, env=env, cwd=folder).wait()
        if not (folder / "flask").exists():  # No ini file of Flask-Migrate has a script_location.
            assert "[environment-missing]" in done.err, done.err
            assert "`surefoot adopt` shows the change of env.py" in done.err
        assert done.code == 2
    assert (
        await value(database.url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    )


PROGRAM = """\
import asyncio, logging, os
import surefoot

logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")


async def main():
    database = surefoot.Database(os.environ["DATABASE_URL"])
    engine = database.engine("migrate")
    told = surefoot.narrated(logging.getLogger("shop").info)
    await surefoot.upgrade(surefoot.Target.of(engine, "alembic.ini"), listen=told)
    logging.getLogger("shop").info("serving")
    await engine.dispose()


asyncio.run(main())
"""


async def test_a_program_that_migrates_keeps_its_logging(
    databases: Databases, tmp_path: Path
) -> None:
    """Though the env.py of Alembic's template sets it up, for the command."""
    database = await databases.empty()
    folder = LAYOUTS["async template"].write(tmp_path, database.url)
    assert adopt(folder, "--write", url=database.url).code == 0
    env = {**os.environ, "DATABASE_URL": database.url}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "shop: OK  2 applied" in done.stderr
    assert "shop: serving" in done.stderr


@pytest.mark.parametrize(
    "create",
    [
        "op.execute('CREATE SCHEMA billing')",
        'op.execute("create schema \\"billing\\"")',
        "op.execute(sa.schema.CreateSchema('billing'))",
        "op.execute('CREATE SCHEMA IF NOT EXISTS billing')",
    ],
)
async def test_schemas_that_the_models_name(
    databases: Databases, tmp_path: Path, create: str
) -> None:
    """They are named, so that drift looks into them; one that a revision creates is left to it."""
    database = await databases.empty()
    table = 'sa.Table("invoices", metadata, sa.Column("id", sa.Integer), schema="billing")\n'
    upgrade = "def upgrade():\n"
    files = {
        **FILES,
        "alembic.ini": INI,
        "app/models.py": f"{FILES['app/models.py']}{table}",
        "migrations/env.py": ASYNC_ENV.replace("=metadata)", "=metadata, include_schemas=True)"),
        "migrations/versions/1a_orders.py": FIRST.replace(
            upgrade,
            f"{upgrade}    {create}\n"
            "    op.create_table('invoices', sa.Column('id', sa.Integer), schema='billing')\n",
        ),
    }
    folder = project(tmp_path, files)
    done = adopt(folder, "--write", url=database.url)
    assert done.code == 0, done.err
    assert "\n           schemas   public, billing: those of the models\n" in done.out
    assert "models     the head agrees with them" in done.out
    assert 'schemas=["public", "billing"]' in (folder / "migrations" / "env.py").read_text()
    done = run_alembic("upgrade", "head", url=database.url, cwd=folder)
    assert done.code == 0, done.err
    await execute(database.url, "ALTER TABLE billing.invoices ADD extra int")
    env = {"DATABASE_URL": database.url}
    drift = forks().start("surefoot", "drift", env=env, cwd=folder).wait()
    assert "1  unexpected  column billing.invoices.extra" in drift.out, drift
    assert "MODELS" not in drift.out


async def test_extensions_of_the_operator(databases: Databases, tmp_path: Path) -> None:
    """Those that objects of the database need are named, and scratch databases have them.

    Not one that a revision creates, nor one that only the operator uses.
    """
    database = await databases.empty()
    await execute(database.url, "CREATE EXTENSION citext; CREATE EXTENSION pg_buffercache")
    upgrade = "def upgrade():\n"
    files = {
        **FILES,
        "alembic.ini": INI,
        "migrations/env.py": ASYNC_ENV,
        "migrations/versions/1a_orders.py": FIRST.replace(
            upgrade,
            f"{upgrade}    op.execute('CREATE EXTENSION IF NOT EXISTS ltree')\n"
            "    op.execute('CREATE TABLE notes (tags citext[], path ltree)')\n",
        ),
    }
    folder = project(tmp_path, files)
    assert run_alembic("upgrade", "head", url=database.url, cwd=folder).code == 0
    done = adopt(folder, "--write", url=database.url)
    assert done.code == 0, done.err
    assert "  extensions  citext: of the database, and no revision creates them\n" in done.out
    assert 'extensions=["citext"]' in (folder / "migrations" / "env.py").read_text()
    env = {"DATABASE_URL": database.url}
    for command in (("lock", "--check"), ("drift", "--no-models"), ("lint",)):
        done = forks().start("surefoot", *command, env=env, cwd=folder).wait()
        assert done.code == 0, done


def test_a_file_keeps_its_byte_order_mark(tmp_path: Path) -> None:
    """And its line ends."""
    folder = project(tmp_path, {**FILES, "alembic.ini": INI})
    env = folder / "migrations" / "env.py"
    env.write_bytes(BOM_UTF8 + env.read_bytes().replace(b"\n", b"\r\n"))
    assert adopt(folder, "--write").code == 0
    written = env.read_bytes()
    assert written.startswith(BOM_UTF8)
    assert b"Environment(" in written
    assert written.count(b"\r\n") == written.count(b"\n")


TEMPLATE = """\
## import of_mako
# Copyright
<%!
import of_mako_too
%>
\"\"\"${message}\"\"\"
import os, sqlalchemy as sa
import shop, re
from sqlalchemy.dialects import postgresql
from app.types import (
    Money,
)
${imports if imports else ""}

def upgrade():
    import later
"""


def test_a_template_that_imports_the_application(tmp_path: Path) -> None:
    """It is said before each new revision breaks a rule, unless the template allows it."""
    folder = project(tmp_path, {**FILES, "alembic.ini": INI})
    template = folder / "migrations" / "script.py.mako"
    template.write_text(TEMPLATE)
    found = adopt(folder, "--json")
    told = [(each["line"], each["code"]) for each in json.loads(found.out)["template"]]
    assert told == [(8, "import shop, re"), (10, "from app.types import")]
    rule = "avoid-importing-the-application"
    shown = adopt(folder).out
    assert f"template   migrations/script.py.mako lets each new revision break {rule}:\n" in shown
    assert "           line 8: import shop, re\n" in shown
    template.write_text(TEMPLATE.replace("# Copyright", f"# allow {rule}: they are types"))
    assert "template" not in adopt(folder).out


def test_two_people_may_write_at_once(tmp_path: Path) -> None:
    """Both write the same files, each as a whole."""
    project(tmp_path, {**FILES, "alembic.ini": INI})
    env = {"DATABASE_URL": "postgresql://nobody@localhost:1/nothing"}
    runs = forks().start_many("surefoot", "adopt", "--write", count=2, env=env, cwd=tmp_path)
    for run in runs:
        found = run.wait()
        assert found.code == 0, found.err
    assert "nothing to do: the project is adopted" in adopt(tmp_path).err
    assert not [path for path in tmp_path.rglob(".*") if path.is_file()]


OF_THEM = ("1a_orders.py", "2b_index.py")


async def test_a_new_revision_says_its_phase(databases: Databases, tmp_path: Path) -> None:
    """With the hook of README.md and the template of Alembic: each file of a plan."""
    database = await databases.empty()
    layout = LAYOUTS["sync template"]
    folder = layout.write(tmp_path, database.url)
    assert adopt(folder, "--write", url=database.url).code == 0
    assert layout.upgrade(folder, database).code == 0
    replace(
        folder / "app" / "models.py",
        r"primary_key=True\)",
        'primary_key=True), sa.Column("age", sa.Integer, index=True)',
    )
    command = ("revision", "--autogenerate", "-m", "age")
    done = run_alembic(*command, url=database.url, cwd=folder)
    assert done.code == 0, done.err
    assert "NOTE  the files lack phase, reasons and required backfills" in done.err
    versions = folder / "migrations" / "versions"
    for path in [each for each in versions.glob("*.py") if each.name not in OF_THEM]:
        path.unlink()
    page = (LIBRARY / "README.md").read_text("utf-8")
    for line in page.partition("```ini")[2].partition("```")[0].splitlines():
        if (told := line.strip()).startswith("["):
            section = told
        elif told:
            replace(folder / "alembic.ini", re.escape(section), f"{section}\n{told}")
    done = run_alembic(*command, url=database.url, cwd=folder)
    assert (done.code, "NOTE" in done.err) == (0, False), done.err
    made = [each.read_text("utf-8") for each in versions.glob("*.py") if each.name not in OF_THEM]
    first, second = sorted(made, key=lambda text: "create_index" in text)
    for text in (first, second):
        assert '\nphase = "expand"\n' in text
    assert "\nLocks: ACCESS EXCLUSIVE on orders" in first
    assert "\nLocks: SHARE UPDATE EXCLUSIVE on orders" in second
    assert done.err.count("Review, then: alembic upgrade head") == 1
