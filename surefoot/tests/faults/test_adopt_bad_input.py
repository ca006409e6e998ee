"""A project that cannot be adopted gets a sentence that says why, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.databases import Database, execute
from harness.projects import ASYNC_ENV, FILES, FIRST, SECOND, adopt, content, project
from surefoot.connect.url import DatabaseUrl

NO_MODELS = ASYNC_ENV.replace("app.models", "application.models")
BY_HAND = ASYNC_ENV.replace("    await engine.dispose()", "    prepare_the_folder()")
VERSIONS = ("migrations/versions/1a_orders.py", "migrations/versions/2b_index.py")
# The files that differ, the exit code, and the sentence.
PROJECTS: dict[str, tuple[dict[str, str | None], int, str]] = {
    "no Alembic": (
        {"alembic.ini": None},
        2,
        "there is no alembic.ini and no migrations/alembic.ini in it, and no [tool.alembic] in a "
        "pyproject.toml, so it is no project of Alembic\n  help: name its folder or its ini file; "
        "a new project begins with `alembic init migrations`",
    ),
    "a pyproject.toml that is none": (
        {"alembic.ini": None, "pyproject.toml": "[tool.alembic\n"},
        2,
        "pyproject.toml cannot be used: Expected ']'",
    ),
    "an ini file without Alembic": (
        {"alembic.ini": "[tool]\n"},
        2,
        "alembic.ini cannot be used: No 'script_location' key found in configuration",
    ),
    "an ini file that is none": (
        {"alembic.ini": "script_location\n"},
        2,
        "alembic.ini cannot be used: File contains no section headers",
    ),
    "no versions folder": (
        dict.fromkeys(VERSIONS),
        2,
        "migrations/versions, where its revisions should be",
    ),
    "no env.py": (
        {"migrations/env.py": None},
        2,
        "migrations/env.py cannot be used: there is no such file, and Alembic runs it",
    ),
    "an env.py that is not Python": (
        {"migrations/env.py": "import alembic\nrun(=\n"},
        2,
        "migrations/env.py:2 cannot be used: it is not Python: invalid syntax",
    ),
    "an env.py whose models are missing": (
        {"migrations/env.py": NO_MODELS},
        2,
        "env.py cannot be used: ModuleNotFoundError: No module named 'application'",
    ),
    "an env.py that does more": (
        {"migrations/env.py": BY_HAND},
        3,
        "line 20: prepare_the_folder(): move it to the top level",
    ),
    "an env.py that runs nothing itself": (
        {"migrations/env.py": "from app.migrating import run\n\nrun()\n"},
        3,
        "line 3: run(): nothing in the file itself runs migrations",
    ),
    "an option that is refused where it shows": (
        {
            "migrations/env.py": ASYNC_ENV.replace("=metadata)", "=metadata, **OPTIONS)").replace(
                "def run(", "OPTIONS = dict([('render_as_batch', True)])\n\n\ndef run("
            )
        },
        2,
        "Environment(options={'render_as_batch': …}) cannot be used: a batch is for SQLite",
    ),
    "a URL of another server": (
        {"migrations/env.py": ASYNC_ENV.replace('os.environ["DATABASE_URL"]', '"sqlite:///shop"')},
        2,
        "cannot be used",
    ),
    "a function for the URL that fails": (
        {
            "migrations/env.py": ASYNC_ENV.replace('os.environ["DATABASE_URL"]', "url()").replace(
                "def run(", "def url():\n    return os.environ['SHOP_URL']\n\n\ndef run("
            )
        },
        2,
        "KeyError: 'SHOP_URL'",
    ),
    "a lock of other revisions": (
        {"migrations/revisions.lock": "1a  -  expand  orders  00  -  -/0\n"},
        1,
        "revisions.lock does not match the revision files: 2b is not in it; 1a was edited",
    ),
    "a hole in the chain": (
        {VERSIONS[0]: None},
        2,
        "2b builds on 1a, which no file has",
    ),
    "an id twice": (
        {VERSIONS[1]: FIRST},
        2,
        "1a_orders.py and 2b_index.py both say revision = '1a'",
    ),
    "an id that Alembic does not take": (
        {VERSIONS[1]: SECOND.replace('"2b"', '"2-b"')},
        2,
        "2b_index.py: revision = '2-b' has -, which Alembic takes for a part of a command",
    ),
    "a chain that goes on in folders": (
        {VERSIONS[1]: None, "migrations/versions/2026/2b_index.py": SECOND},
        2,
        "their chain goes on in folders below, which are not read: migrations/versions/2026",
    ),
    "all revisions in folders": (
        {**dict.fromkeys(VERSIONS), "migrations/versions/2025/1a_orders.py": FIRST},
        2,
        "their chain goes on in folders below, which are not read: migrations/versions/2025",
    ),
    "revisions of several databases": (
        {VERSIONS[1]: SECOND.replace("def downgrade()", "def downgrade(engine_name: str, x=1)")},
        2,
        "2b_index.py:11 cannot be used: downgrade() needs engine_name, which an env.py for several",
    ),
    "a revision that is not Python": (
        {VERSIONS[1]: f"{SECOND}\nelse\n"},
        2,
        "2b_index.py:14 is not Python",
    ),
}


@pytest.mark.sample(4)
@pytest.mark.parametrize(("files", "code", "said"), PROJECTS.values(), ids=PROJECTS)
def test_a_project_that_cannot_be_adopted(
    files: dict[str, str | None], code: int, said: str, tmp_path: Path
) -> None:
    """The reason is on stderr."""
    project(tmp_path, {**FILES, **files})
    before = content(tmp_path)
    for arguments in ((), ("--write",)):
        done = adopt(tmp_path, *arguments)
        assert (done.code, said in done.err) == (code, True), done.err
        assert "Traceback" not in done.err
        assert "--write" not in done.err
    assert content(tmp_path) == before


def test_an_env_py_that_cannot_be_run_is_still_read(tmp_path: Path) -> None:
    """The report has the past and the change; models and database are not guessed."""
    project(tmp_path, {**FILES, "migrations/env.py": NO_MODELS})
    shown = adopt(tmp_path).out
    assert "it cannot be run here: ModuleNotFoundError: No module named 'application'" in shown
    assert "2b_index.py:7  commits-by-itself: autocommit_block()" in shown
    assert "+Environment(" in shown
    assert "models     not compared" in shown
    assert "database   not asked" in shown


def test_former_revisions_in_a_folder_are_left_there(tmp_path: Path) -> None:
    """No revision that is read has to do with them."""
    former = SECOND.replace('"2b"', '"0b"').replace('"1a"', '"0a"')
    project(tmp_path, {**FILES, "migrations/versions/former/0b_old.py": former})
    done = adopt(tmp_path)
    assert (done.code, "revisions  2 in migrations/versions" in done.out) == (0, True), done.err


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    done = adopt(tmp_path, "nowhere")
    assert (done.code, done.out) == (2, "")
    assert "nowhere cannot be used: there is no such file or folder" in done.err


async def _unrelated(database: Database) -> str:
    await execute(
        database.url,
        "CREATE TABLE orders (id int); CREATE TABLE alembic_version (version_num text); "
        "INSERT INTO alembic_version VALUES ('1a'), ('2b')",
    )
    return database.url


async def _of_another_project(database: Database) -> str:
    await execute(
        database.url,
        "CREATE TABLE alembic_version (version_num text); "
        "INSERT INTO alembic_version VALUES ('77ff')",
    )
    return database.url


async def _without_permission(database: Database) -> str:
    await execute(
        database.url,
        "CREATE TABLE alembic_version (version_num text); "
        "INSERT INTO alembic_version VALUES ('2b'); "
        "DO $$ BEGIN CREATE ROLE adopt_reader LOGIN; EXCEPTION WHEN duplicate_object "
        "THEN NULL; END $$; "
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; "
        "GRANT SELECT ON alembic_version TO adopt_reader",
    )
    url = DatabaseUrl.parse(database.url)
    return database.url.replace(f"{url.user}@", "adopt_reader@", 1)


DATABASES = {
    "two rows of which one builds on the other": (
        _unrelated,
        1,
        "of its rows 1a, 2b one builds on another",
    ),
    "another project's": (
        _of_another_project,
        1,
        "it is at 77ff, which neither this build nor its ledger knows",
    ),
    "no permission": (
        _without_permission,
        2,
        "'adopt_reader' may not do this in ",
    ),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize(("prepare", "code", "said"), DATABASES.values(), ids=DATABASES)
async def test_a_database_that_does_not_fit(
    prepare: object, code: int, said: str, tmp_path: Path, empty_database: Database
) -> None:
    """It is only read, and no file is written."""
    url = await prepare(empty_database)  # type: ignore[operator]
    project(tmp_path)
    before = content(tmp_path)
    done = adopt(tmp_path, "--write", url=url)
    assert (done.code, said in done.err) == (code, True), done.err
    assert said in done.out
    assert content(tmp_path) == before


@pytest.mark.slow
def test_an_env_py_of_surefoot_without_a_lock_gets_the_lock_alone(tmp_path: Path) -> None:
    """It is an Environment in a folder of revisions that nobody has locked; nothing else is new."""
    env = "from surefoot import Environment\n\nEnvironment(None, database='postgresql:///shop').run()\n"
    project(tmp_path, {**FILES, "migrations/env.py": env})
    before = content(tmp_path)
    done = adopt(tmp_path, "--write")
    assert done.code == 0, done.err
    assert "models     not compared with the head: env.py names none" in done.out
    after = content(tmp_path)
    lock = after.pop("migrations/revisions.lock").decode()
    assert after == before
    assert "\nbaseline  2b\n" in lock
    found = json.loads(adopt(tmp_path, "--json").out)
    assert (found["adopted"], found["changes"], found["heads"]) == (True, [], ["2b"])


@pytest.mark.slow
async def test_tables_without_a_version_table_are_no_obstacle(
    tmp_path: Path, empty_database: Database
) -> None:
    """They may be another project's; `alembic upgrade` asks whose they are."""
    await execute(empty_database.url, "CREATE TABLE orders (id int)")
    project(tmp_path)
    done = adopt(tmp_path, url=empty_database.url)
    assert done.code == 0, done.err
    assert "it has tables and no version table; before the first upgrade comes `" in done.out


@pytest.mark.slow
async def test_a_database_that_does_not_answer_is_no_obstacle(tmp_path: Path) -> None:
    """Adopting needs none: it is said, and the files are written."""
    project(tmp_path)
    done = adopt(tmp_path, "--write")
    assert done.code == 0, done.err
    assert "database   not asked: database 'nothing' at localhost:1 cannot be reached" in done.out
    assert "+Environment(" in done.out
    assert "nothing to do: the project is adopted" in adopt(tmp_path, "--write").err
