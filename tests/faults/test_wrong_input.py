"""Whatever is wrong with the settings or the database, a command of the service says so.

The rule is the library's, in harness/wrong_input.py: a sentence, a code of the documents, no
traceback. Another command or input is one line here.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from harness.databases import Database, execute
from harness.forks import Result
from harness.wrong_input import complaint
from tests.support.project import run

COMMANDS = (
    "vegafs serve",
    "vegafs serve --migrate",
    "vegafs settings",
    "vegafs keys list",
    "vegafs keys create laptop",
    "vegafs keys revoke laptop",
    "vegafs services",
    "vegafs ledger",
    "vegafs drift",
    "alembic upgrade head",
    "alembic current",
)
ELSEWHERE = "postgresql://u:secret@127.0.0.1:1/gone"
# Variables of the environment, where {file} is a binary file.
SETTINGS: dict[str, dict[str, str]] = {
    "a URL that is none": {"DATABASE_URL": "nonsense"},
    "a server that is not there": {"DATABASE_URL": ELSEWHERE},
    "verify-full without a root certificate": {"DATABASE_URL": f"{ELSEWHERE}?sslmode=verify-full"},
    "a certificate that is not there": {"DATABASE_URL": f"{ELSEWHERE}?sslcert=/nowhere/x.crt"},
    "a port that is none": {"VEGAFS_PORT": "99999"},
    "a number that is none": {"VEGAFS_POOL_SIZE": "many"},
    "a setting that is unknown": {"VEGAFS_NOPE": "1"},
    "a file of settings that is not there": {"VEGAFS_ENV_FILE": "/nowhere/.env"},
    "a file of settings that is binary": {"VEGAFS_ENV_FILE": "{file}"},
    "a file with a URL that is not there": {"DATABASE_URL": "", "DATABASE_URL_FILE": "/nowhere"},
    "a file with a URL that is binary": {"DATABASE_URL": "", "DATABASE_URL_FILE": "{file}"},
    "a folder of secrets that is not there": {"VEGAFS_SECRETS_DIR": "/nowhere"},
    "no database in production": {"DATABASE_URL": "", "VEGAFS_ENVIRONMENT": "production"},
}
DATABASES = {
    "a version table with another column": "ALTER TABLE alembic_version RENAME version_num TO num",
    "a NULL in the version table": "ALTER TABLE alembic_version DROP CONSTRAINT "
    "alembic_version_pkc; ALTER TABLE alembic_version ALTER version_num DROP NOT NULL;"
    "UPDATE alembic_version SET version_num = NULL",
    "no table of keys": "DROP TABLE api_keys",
}


def ran(line: str, **environment: str) -> Result:
    program, *arguments = line.split()
    return run(program, *arguments, **{"VEGAFS_PORT": "0", **environment})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A binary file."""
    path = tmp_path / "binary"
    path.write_bytes(b"\x00\xff\xfe\x80")
    return path


def broken(lines: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The commands that broke the rule, or showed the password."""
    found = {}
    for line in lines:
        result = ran(line, **environment)
        why = complaint(line, result)
        if "secret@" in result.out + result.err:
            why = "the password"
        if why is not None:
            found[line] = why
    return found


@pytest.mark.sample(4)
@pytest.mark.parametrize(("number", "name"), list(enumerate(SETTINGS)), ids=SETTINGS)
async def test_a_wrong_setting_is_a_sentence(
    empty_database: Database, file: Path, number: int, name: str
) -> None:
    """Each with one command, in turn."""
    given = {key: value.format(file=file) for key, value in SETTINGS[name].items()}
    line = COMMANDS[number % len(COMMANDS)]
    assert broken([line], {"DATABASE_URL": empty_database.url, **given}) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
async def test_a_wrong_setting_is_a_sentence_of_every_command(
    empty_database: Database, file: Path, name: str
) -> None:
    """All of them."""
    given = {key: value.format(file=file) for key, value in SETTINGS[name].items()}
    assert broken(COMMANDS, {"DATABASE_URL": empty_database.url, **given}) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", DATABASES)
async def test_a_wrong_database_is_a_sentence_of_every_command(
    database: Database, name: str
) -> None:
    """Of each that does not serve on it."""
    await execute(database.url, DATABASES[name])
    serves = name == "no table of keys"
    lines = [line for line in COMMANDS if not (serves and line.startswith("vegafs serve"))]
    assert broken(lines, {"DATABASE_URL": database.url}) == {}
