"""Every command with every wrong input: what each must keep, and the list of both.

A command line is one of COMMANDS; an input is a function that spoils a chain, or a URL, or both,
and is listed in INPUTS. Whatever is wrong, a command says it in one sentence with a state word and
a code, exits with a code that the documents list, and shows no traceback.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.forks import Result
from harness.runs import Chain

# docs/guide.md; 255 is Alembic's own, of errors that it meets before it runs env.py.
EXIT_CODES = frozenset({0, 1, 2, 3, 4, 75})
ALEMBICS_OWN = 255
_SAID = re.compile(
    r"^(?:(?:ERROR|REFUSED|FAILED|BLOCKED|FAIL|NOT LINTED)\b.*\w+|\d+ differences?\b)", re.MULTILINE
)
_ALEMBIC_SAID = re.compile(r"^FAILED: .*\w+", re.MULTILINE)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

COMMANDS = (
    "alembic upgrade head",
    "alembic downgrade base",
    "alembic stamp head",
    "alembic current",
    "alembic history",
    "alembic check",
    "alembic heads",
    "alembic branches",
    "alembic show 0001",
    "alembic merge heads",
    "alembic ensure_version",
    "alembic upgrade head --sql",
    "alembic revision -m empty",
    "alembic revision --autogenerate -m change",
    "surefoot adopt",
    "surefoot upgrade",
    "surefoot downgrade base",
    "surefoot plan",
    "surefoot lint",
    "surefoot lock --check",
    "surefoot schema --diff 0001",
    "surefoot ledger",
    "surefoot services",
    "surefoot status",
    "surefoot drift",
    "surefoot rebase",
    "surefoot db goto",
    "surefoot verify",
    "surefoot explain database-behind",
    "surefoot ops stamp 0001 --reason test",
    "surefoot ops adopt 0001 --reason test",
    "surefoot ops accept-checksum 0001 --reason test",
)
# Alembic runs these without env.py, so nothing of the library is there to speak for it.
WITHOUT_ENVIRONMENT = ("alembic heads", "alembic branches", "alembic show 0001")
WITHOUT_DATABASE = (
    *(*WITHOUT_ENVIRONMENT, "alembic merge heads", "alembic upgrade head --sql"),
    *(
        "alembic revision -m empty",
        "surefoot adopt",
        "surefoot lock --check",
        "surefoot schema --diff 0001",
        "surefoot rebase",
        "surefoot explain database-behind",
    ),
)
# Alembic meets these before it runs env.py.
_INI = ("an alembic.ini that is binary", "an alembic.ini with a mistake")
_ENV_PY = ("no env.py", "an env.py that is no Python", "an env.py that fails")
_IMPORTED = (
    "a revision that is no Python",
    "a revision that is binary",
    "a revision that fails",
    "a revision that imports what is not there",
    "a revision that exits",
)


@dataclass(frozen=True)
class Wrong:
    """An input that cannot work."""

    # Spoils the files of the chain.
    files: Callable[[Chain], object] = lambda chain: None
    # SQL that runs before the command, on a database with the tables of the chain.
    sql: str = ""
    # The URL in the place of the database's.
    url: Callable[[str], str] | None = None
    arguments: Callable[[str], str] = lambda arguments: arguments
    env: Mapping[str, str] = field(default_factory=dict)


def replaced(text: str) -> Callable[[Chain], None]:
    """The newest revision file with another content."""

    def write(chain: Chain) -> None:
        chain.path("0002").write_text(text, "utf-8")

    return write


def _binary_revision(chain: Chain) -> None:
    chain.path("0002").write_bytes(b"\x00\x01\xff\xfe")


def _binary_lock(chain: Chain) -> None:
    chain.lock_path.write_bytes(b"\x00\x01\xff\xfe\x80")


def _lock_folder(chain: Chain) -> None:
    chain.lock_path.unlink()
    chain.lock_path.mkdir()


def _environment(text: str) -> Callable[[Chain], None]:
    def write(chain: Chain) -> None:
        (chain.folder / "alembic" / "env.py").write_text(text, "utf-8")

    return write


def _long_id(chain: Chain) -> None:
    chain.add("pass", identifier="a_revision_of_more_than_32_characters", down="0002")


def _parameter(text: str) -> Callable[[str], str]:
    return lambda url: f"{url}&{text}" if "?" in url else f"{url}?{text}"


_ENV = "from surefoot import Environment\nEnvironment(metadata={!r}, database={!r}).run()\n"
_MODELS, _DATABASE = "sample.models:metadata", "harness.environment:database"
_VERSION_VIEW = (
    "ALTER TABLE alembic_version RENAME TO v; CREATE VIEW alembic_version AS "
    "SELECT (1 / (length(version_num) - 4))::text AS version_num FROM v"
)
_NULL = (
    "ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_pkc;"
    "ALTER TABLE alembic_version ALTER version_num DROP NOT NULL;"
    "UPDATE alembic_version SET version_num = NULL"
)
_REFUSING = (
    "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'not today'; END $$;"
    "CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION no()"
)
INPUTS: dict[str, Wrong] = {
    "no alembic.ini": Wrong(lambda chain: chain.ini.unlink()),
    "an empty alembic.ini": Wrong(lambda chain: chain.ini.write_text("")),
    "an alembic.ini that is binary": Wrong(
        lambda chain: chain.ini.write_bytes(b"\x00\xff\xfe") and None
    ),
    "an alembic.ini with a mistake": Wrong(
        lambda chain: chain.ini.write_text("[alembic\nx") and None
    ),
    "no folder of revisions": Wrong(lambda chain: shutil.rmtree(chain.versions)),
    "no env.py": Wrong(lambda chain: (chain.folder / "alembic" / "env.py").unlink()),
    "an env.py that is no Python": Wrong(_environment("from surefoot import (\n")),
    "an env.py that fails": Wrong(_environment("raise KeyError('x')\n")),
    "an env.py without an Environment": Wrong(_environment("pass\n")),
    "models that are not there": Wrong(
        _environment(_ENV.format("nowhere.models:metadata", _DATABASE))
    ),
    "models without that name": Wrong(_environment(_ENV.format("sample.models:nope", _DATABASE))),
    "models that are none": Wrong(_environment(_ENV.format("sample.models:__name__", _DATABASE))),
    "a database that is not there": Wrong(
        _environment(_ENV.format(_MODELS, "harness.nope:database"))
    ),
    "a database that is none": Wrong(
        _environment(_ENV.format(_MODELS, "harness.environment:PREFIX"))
    ),
    "a revision that is no Python": Wrong(
        replaced("revision = '0002'\ndown_revision = '0001'\ndef upgrade(:\n")
    ),
    "a revision that is binary": Wrong(_binary_revision),
    "a revision that fails": Wrong(
        replaced("revision = '0002'\ndown_revision = '0001'\nphase = 'expand'\n1 / 0\n")
    ),
    "a revision that imports what is not there": Wrong(
        replaced("import nowhere\nrevision = '0002'\ndown_revision = '0001'\n")
    ),
    "a revision that exits": Wrong(
        replaced("raise SystemExit('bye')\nrevision = '0002'\ndown_revision = '0001'\n")
    ),
    "a revision without upgrade": Wrong(replaced("revision = '0002'\ndown_revision = '0001'\n")),
    "a long id": Wrong(_long_id),
    "an id given twice": Wrong(replaced("revision = '0001'\ndown_revision = None\n")),
    "two heads": Wrong(lambda chain: chain.add("pass", identifier="0003", down="0001")),
    "a revisions.lock that is binary": Wrong(_binary_lock),
    "a revisions.lock that is a folder": Wrong(_lock_folder),
    "no revisions.lock": Wrong(lambda chain: chain.lock_path.unlink()),
    "a revisions.lock with a conflict": Wrong(
        lambda chain: chain.lock_path.write_text("<<<<<<< HEAD\n") and None
    ),
    "a revisions.lock with a line twice": Wrong(
        lambda chain: chain.lock_path.write_text(
            (text := chain.lock_path.read_text("utf-8")) + text.splitlines()[-1] + "\n", "utf-8"
        )
    ),
    "an empty revisions.lock": Wrong(lambda chain: chain.lock_path.write_text("")),
    "a URL that is none": Wrong(url=lambda url: "nonsense"),
    "an empty URL": Wrong(url=lambda url: ""),
    "a server that is not there": Wrong(url=lambda url: "postgresql://u:secret@127.0.0.1:1/gone"),
    "a host that is not there": Wrong(url=lambda url: "postgresql://u:secret@nowhere.invalid/gone"),
    "a database that does not exist": Wrong(url=lambda url: re.sub(r"/test_\w+", "/nowhere", url)),
    "verify-full without a root certificate": Wrong(
        url=lambda url: "postgresql://u:secret@127.0.0.1:1/gone?sslmode=verify-full"
    ),
    "a root certificate that is not there": Wrong(
        url=_parameter("sslmode=verify-ca&sslrootcert=/nowhere/root.crt")
    ),
    "a root certificate that is none": Wrong(
        url=_parameter("sslmode=verify-ca&sslrootcert=/etc/passwd")
    ),
    "a client certificate that is not there": Wrong(
        url=_parameter("sslmode=require&sslcert=/nowhere/x.crt&sslkey=/nowhere/x.key")
    ),
    "target_session_attrs that no host has": Wrong(url=_parameter("target_session_attrs=standby")),
    "a setting that the server does not know": Wrong(url=_parameter("options=-c%20nonsense%3D1")),
    "a setting with a wrong value": Wrong(url=_parameter("options=-c%20work_mem%3Dmuch")),
    "a NULL in the version table": Wrong(sql=_NULL),
    "an empty id in the version table": Wrong(sql="UPDATE alembic_version SET version_num = ''"),
    "a version table with another column": Wrong(
        sql="ALTER TABLE alembic_version RENAME version_num TO num"
    ),
    "a version table that is a failing view": Wrong(sql=_VERSION_VIEW),
    "a ledger with another column": Wrong(
        sql="ALTER TABLE alembic_version_ledger RENAME checksum TO sum"
    ),
    "a ledger with a column of another type": Wrong(
        sql="ALTER TABLE alembic_version_ledger ALTER statements TYPE text"
    ),
    "a version table with a row twice": Wrong(
        sql="ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_pkc;"
        "INSERT INTO alembic_version TABLE alembic_version"
    ),
    "a search path that leads nowhere": Wrong(url=_parameter("options=-c%20search_path%3Dnowhere")),
    "an event trigger that refuses": Wrong(sql=_REFUSING),
    "a revision that is unknown": Wrong(
        arguments=lambda words: re.sub(r"\b(0001|head|base)\b", "nope", words)
    ),
    "a revision that is empty": Wrong(
        arguments=lambda words: re.sub(r"\b(0001|head|base)\b", "", words)
    ),
    "a step too far": Wrong(
        arguments=lambda words: re.sub(r"\b(0001|head)\b", "+99", words).replace("base", "-99")
    ),
    "an option that is unknown": Wrong(arguments=lambda words: f"{words} --nope"),
}


def is_out_of_reach(line: str, wrong: str) -> bool:
    """Whether Alembic fails before it runs env.py, or without it: the library cannot speak."""
    if not line.startswith("alembic"):
        return False
    if line in WITHOUT_ENVIRONMENT:
        return wrong in (*_INI, *_IMPORTED)
    return wrong in (*_INI, *_ENV_PY)


def complaint(line: str, result: Result) -> str | None:
    """Why the command broke the rule; None where it kept it."""
    text = result.out + result.err
    if "Traceback (most recent call last)" in text:
        return "a traceback: " + text.strip().splitlines()[-1]
    if "never awaited" in text or "Exception ignored" in text:
        return "noise: " + text.strip().splitlines()[-1]
    if match := _CONTROL.search(text):
        return f"a control character: {match[0]!r}"
    if result.code == ALEMBICS_OWN and line.startswith("alembic") and _ALEMBIC_SAID.search(text):
        return None
    if result.code == 2 and text.startswith("usage:"):
        return None  # argparse, of Alembic
    if result.code not in EXIT_CODES:
        return f"the exit code {result.code}: {text.strip()[-200:]}"
    if result.code and not _SAID.search(text):
        return f"exit code {result.code} and no sentence: {text.strip()[-200:]!r}"
    return None
