"""Pages of docs/ whose commands are run, in a copy of the project, and print what is shown."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.databases import Database
from harness.server import PG_MAJOR, ROLE, temporary_folder
from surefoot.connect.libpq import libpq_environment
from surefoot.connect.url import DatabaseUrl
from surefoot.embedded import EmbeddedServer, find_binaries
from tests.support.project import ROOT, copy_to, paths_of
from tests.support.transcripts import check


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project, in which the commands run."""
    return copy_to(tmp_path)


def environment(url: str, folder: Path, major: int = PG_MAJOR) -> dict[str, str]:
    """That of the commands: the database, its server for libpq, and programs of its major."""
    found = find_binaries(None, major=major)
    assert found is not None
    libpq = libpq_environment(DatabaseUrl.parse(url), "a-test")
    del libpq["PGDATABASE"]
    return {
        "DATABASE_URL": url,
        "PYTHONPATH": paths_of(folder),
        "PATH": os.pathsep.join((str(found.bindir), os.environ["PATH"])),
        **libpq,
    }


@pytest.mark.slow
def test_backup_and_restore(copy: Path, empty_database: Database) -> None:
    """With the real pg_dump and pg_restore, the right way and the wrong ones."""
    given = environment(empty_database.url, copy)
    check(ROOT / "docs" / "restore.md", copy, given, {"vegafs_dev": empty_database.name})


@pytest.mark.slow
def test_two_majors(copy: Path) -> None:
    """Development on PostgreSQL 18, production on 15."""
    if find_binaries(None, major=15) is None:
        pytest.skip("PostgreSQL 15 is not installed")
    with ExitStack() as stack:
        urls = {
            f"PG{major}": stack.enter_context(_server(stack, major).use()).url()
            for major in (15, 18)
        }
        check(ROOT / "docs" / "majors.md", copy, {"PYTHONPATH": paths_of(copy), **urls}, {})


def _server(stack: ExitStack, major: int) -> EmbeddedServer:
    folder = stack.enter_context(temporary_folder())
    return EmbeddedServer(
        folder / "server",
        major=major,
        durable=False,
        remove_at_end=True,
        user=ROLE,
        database="vegafs_dev",
    )
