"""Whatever is wrong, a command says it in a sentence, and exits with a code of the documents.

The commands and the inputs are in harness/wrong_input.py; another one of either is one line there.
"""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.databases import Database, execute
from harness.forks import Result, forks
from harness.runs import Chain, Launcher
from harness.server import LIBRARY, Server
from harness.wrong_input import (
    COMMANDS,
    EXIT_CODES,
    INPUTS,
    WITHOUT_DATABASE,
    complaint,
    is_out_of_reach,
)

ROOT = LIBRARY.parent
IMPORTABLE = os.pathsep.join(str(LIBRARY / folder) for folder in ("src", "tests"))


async def spoiled(chain: Chain, database: Database, name: str) -> None:
    """The chain and the database with the input."""
    wrong = INPUTS[name]
    for table in ("t1", "t2"):
        chain.add(
            f"op.execute('CREATE TABLE {table} (id int)')", f"op.execute('DROP TABLE {table}')"
        )
    if wrong.sql:
        first = await Launcher().alembic(chain, "upgrade", "0001", url=database.url)
        assert first.code == 0, first.err
        await execute(database.url, wrong.sql)
    wrong.files(chain)


async def run(line: str, name: str, chain: Chain, database: Database, server: Server) -> Result:
    """The command with the input."""
    wrong = INPUTS[name]
    env = {
        "DATABASE_URL": wrong.url(database.url) if wrong.url else database.url,
        "SUREFOOT_TEST_SCRATCH_URL": server.url,
        # Alembic leaves a file there where a template fails.
        "TMPDIR": str(chain.folder),
        **wrong.env,
    }
    program, *arguments = shlex.split(wrong.arguments(line))
    process = forks().start(program, *arguments, env=env, cwd=chain.folder)
    return await asyncio.to_thread(process.wait)


def pairs() -> list[tuple[str, str]]:
    """Each input with one command, in turn; so each command has an input or two."""
    found = []
    for number, (name, wrong) in enumerate(INPUTS.items()):
        in_turn = [COMMANDS[(number * 2 + k) % len(COMMANDS)] for k in range(len(COMMANDS))]
        deaf = WITHOUT_DATABASE if wrong.sql or wrong.url else ()
        meets = (x for x in in_turn if x not in deaf and not is_out_of_reach(x, name))
        found.append((name, next(meets)))
    return found


@pytest.mark.sample(2)
@pytest.mark.parametrize(("name", "line"), pairs(), ids=[" / ".join(pair) for pair in pairs()])
async def test_a_wrong_input_is_a_sentence(
    chain: Chain, empty_database: Database, server: Server, name: str, line: str
) -> None:
    """With a code, and without a traceback."""
    await spoiled(chain, empty_database, name)
    result = await run(line, name, chain, empty_database, server)
    assert complaint(line, result) is None, result


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
async def test_no_command_fails_otherwise(
    chain: Chain, empty_database: Database, server: Server, name: str
) -> None:
    """All commands, one after the other, with what those before them left."""
    await spoiled(chain, empty_database, name)
    broken = {}
    for line in COMMANDS:
        if not is_out_of_reach(line, name):
            result = await run(line, name, chain, empty_database, server)
            if (why := complaint(line, result)) is not None:
                broken[line] = why
    assert broken == {}


SAYS = {
    "verify-full without a root certificate": (
        2,
        "ERROR [database-url-invalid]  the database URL that env.py names cannot be used: root "
        "certificate",
    ),
    "a root certificate that is not there": (
        2,
        "ERROR [database-url-invalid]  the database URL that env.py names cannot be used: its "
        "sslrootcert is /nowhere/root.crt, which cannot be read: No such file or directory",
    ),
    "target_session_attrs that no host has": (75, "ERROR [database-unreachable]  database "),
    "a setting with a wrong value": (
        2,
        "ERROR [database-url-invalid]  the database URL that env.py names cannot be used: invalid "
        'value for parameter "work_mem": "much"',
    ),
    "a setting that the server does not know": (
        2,
        "ERROR [database-url-invalid]  the database URL that env.py names cannot be used: "
        'unrecognized configuration parameter "nonsense"',
    ),
    "a NULL in the version table": (
        3,
        "REFUSED [version-row-invalid]  alembic_version has a row that is no revision: its "
        "version_num is NULL",
    ),
    "a long id": (
        3,
        "REFUSED [revision-id-too-long]  the id a_revision_of_more_than_32_characters has 37 "
        "characters, and alembic_version.version_num holds 32",
    ),
    "a revisions.lock that is binary": (2, "cannot be read: it is no text"),
    "a revisions.lock with a line twice": (2, "revisions.lock:10 has 0002 a second time\n"),
    "an empty revisions.lock": (2, "revisions.lock is empty\n"),
    "an event trigger that refuses": (4, "FAILED ["),
    "a ledger with another column": (
        3,
        "REFUSED [ledger-altered]  the table alembic_version_ledger is not the ledger as the "
        "library made it: checksum is missing\n",
    ),
    "a ledger with a column of another type": (
        3,
        "REFUSED [ledger-altered]  the table alembic_version_ledger is not the ledger as the "
        "library made it: statements is text and was integer\n",
    ),
    "a version table with a row twice": (
        3,
        "REFUSED [version-row-repeated]  alembic_version has several rows 0001: ",
    ),
    "a search path that leads nowhere": (
        3,
        "REFUSED [search-path-empty]  the search_path of this session (nowhere) leads to no schema",
    ),
}
# Everything that looks at the two tables refuses for the same reason.
LOOKING = (
    *("alembic current", "alembic check", "alembic downgrade base", "alembic stamp head"),
    *("alembic revision --autogenerate -m change", "surefoot plan", "surefoot drift"),
)
UNREADABLE = {
    "a ledger with a column of another type": "ledger-altered",
    "a version table with a row twice": "version-row-repeated",
    "a search path that leads nowhere": "search-path-empty",
}


@pytest.mark.sample(4)
@pytest.mark.parametrize(("name", "code", "said"), [(k, *v) for k, v in SAYS.items()], ids=SAYS)
async def test_the_sentence_says_what_is_wrong(
    chain: Chain, empty_database: Database, server: Server, name: str, code: int, said: str
) -> None:
    """To `alembic upgrade head`, before a revision runs where that can be known."""
    await spoiled(chain, empty_database, name)
    result = await run("alembic upgrade head", name, chain, empty_database, server)
    assert (result.code, said in result.err) == (code, True), result.err


@pytest.mark.sample(2)
@pytest.mark.parametrize("line", LOOKING)
@pytest.mark.parametrize("name", UNREADABLE)
async def test_nobody_takes_tables_that_cannot_be_read_for_base(
    chain: Chain, empty_database: Database, server: Server, name: str, line: str
) -> None:
    """Each refuses; `current` may say what the table that can be read names."""
    if name == "a ledger with a column of another type" and "--autogenerate" in line:
        return  # it does not read the ledger
    await spoiled(chain, empty_database, name)
    result = await run(line, name, chain, empty_database, server)
    assert (result.code, result.out in ("", "0001\n")) == (3, True), result
    assert result.err.startswith(f"REFUSED [{UNREADABLE[name]}]  "), result.err


@pytest.mark.slow
async def test_a_row_too_many_goes_as_the_help_says(
    chain: Chain, empty_database: Database, server: Server
) -> None:
    """The statements of the help run, and the next upgrade does."""
    name = "a version table with a row twice"
    await spoiled(chain, empty_database, name)
    refused = await run("alembic upgrade head", name, chain, empty_database, server)
    await execute(empty_database.url, refused.err.partition("by hand: ")[2])
    done = await run("alembic upgrade head", name, chain, empty_database, server)
    assert done.code == 0, done.err


@pytest.mark.parametrize("command", ["current", "history"])
async def test_a_syntax_error_names_the_file_and_the_line(
    chain: Chain, empty_database: Database, server: Server, command: str
) -> None:
    """Also where the command only looks."""
    await spoiled(chain, empty_database, "a revision that is no Python")
    result = await Launcher().alembic(chain, command, url=empty_database.url)
    assert (result.code, result.err) == (
        2,
        "ERROR [revisions-broken]  0002_change.py:3 cannot be imported: SyntaxError: invalid "
        "syntax (0002_change.py, line 3)\n  help: correct it\n",
    )


def piped(line: str, chain: Chain, url: str) -> tuple[int, str]:
    """The exit code and stderr of a command whose reader has gone before it printed anything."""
    reader, writer = os.pipe()
    os.close(reader)
    program, *arguments = shlex.split(line)
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=chain.folder,
        env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": IMPORTABLE},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["alembic history", "alembic current", "surefoot ledger", "surefoot explain"]
)
async def test_a_command_outlasts_its_reader(
    chain: Chain, empty_database: Database, line: str
) -> None:
    """`| head`: no traceback, and the exit code of the command itself."""
    chain.add("op.execute('CREATE TABLE t (id int)')")
    done = await Launcher().alembic(chain, "upgrade", "head", url=empty_database.url)
    assert done.code == 0, done.err
    code, said = await asyncio.to_thread(piped, line, chain, empty_database.url)
    assert (code, "Broken" in said, "Traceback" in said) == (0, False, False), said


@pytest.mark.slow
async def test_a_run_outlasts_the_reader_of_its_narration(
    chain: Chain, empty_database: Database
) -> None:
    """`2>&1 | head -1` does not stop it in the middle of a revision."""
    for number in range(3):
        chain.add(f"op.execute('CREATE TABLE t{number} (id int)')")
    shell = "alembic upgrade head 2>&1 | head -1; exit ${PIPESTATUS[0]}"
    done = subprocess.run(
        ["bash", "-c", shell],
        cwd=chain.folder,
        env={
            **os.environ,
            "DATABASE_URL": empty_database.url,
            "PYTHONPATH": IMPORTABLE,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    assert (
        await Launcher().alembic(chain, "current", url=empty_database.url)
    ).out == "0003 (head)\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said_before_a_file_is_made(chain: Chain) -> None:
    """Alembic would write it after env.py has run, where nobody could say it for it."""
    chain.add("pass")
    chain.versions.chmod(0o555)
    alembic = str(Path(sys.executable).with_name("alembic"))
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    done = subprocess.run(
        [*(without if os.geteuid() == 0 else []), alembic, "revision", "-m", "x"],
        cwd=chain.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    chain.versions.chmod(0o755)
    assert (done.returncode, done.stderr) == (
        2,
        f"ERROR [file-not-writable]  {chain.versions} cannot be written: the file system, or its "
        "mode, forbids it\n  help: see that the user of this command may write there, and that "
        "there is room\n",
    )


def test_the_codes_of_the_documents_are_those_of_the_errors() -> None:
    """docs/guide.md lists each exit code that a class of errors has, and no other."""
    guide = (ROOT / "docs" / "guide.md").read_text("utf-8")
    table = guide.partition("## Exit codes")[2].partition("## ")[0]
    listed = {
        int(n)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
        for n in row.split(",")
    }
    assert listed == {*EXIT_CODES, 129, 130, 143}
