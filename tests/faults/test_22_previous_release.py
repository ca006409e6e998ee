"""The previous release and this one behind one database.

    its tests of the API, its code   | on the schema that this release gives, as far as it may go
    this release's tests of the API  | on a schema that the previous release's own code began

The previous release is the newest tag before this commit, and before there is one the commit that
`tests/previous-release` names.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.databases import execute
from harness.private import PrivateServer
from surefoot.chain.lockfile import read_lock
from surefoot.chain.revisions import read_revisions
from surefoot.ledger.integrity import Stranger
from tests.support.project import ROOT

pytestmark = pytest.mark.slow

NAMED = ROOT / "tests" / "previous-release"
API_TESTS = [f"tests/integration/{domain}" for domain in ("files", "jobs", "keys")]
UPGRADE = ("-m", "alembic", "upgrade")
TEMPLATE_NAME = """
try:
    from tests.support.project import TEMPLATE
except ImportError:  # an older release
    from tests.support.databases import template_name
    print(template_name())
else:
    print(TEMPLATE.name)
"""
IMPORTABLE = ("", "surefoot/src", "surefoot/tests")


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The previous release's files."""
    if shutil.which("git") is None or git("rev-parse", "--git-dir").returncode:
        pytest.skip("this is no clone, so the previous release is not here")
    tag = git("describe", "--tags", "--abbrev=0", "HEAD^").stdout.strip()
    release = tag or NAMED.read_text("utf-8").strip()
    packed = git("archive", "--format=zip", "--output", str(tmp_path / "zip"), release)
    if packed.returncode:
        pytest.skip(f"the clone is shallow: it lacks {release}, the previous release")
    folder = tmp_path / "previous"
    folder.mkdir()
    shutil.unpack_archive(tmp_path / "zip", folder, "zip")
    return folder


def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )


def python(tree: Path, *arguments: str, **environment: str) -> str:
    """The output of a command of the release in that folder, which succeeds."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    importable = os.pathsep.join(str(tree / folder) for folder in IMPORTABLE)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env={**kept, "PYTHONPATH": importable, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_api_tests(tree: Path, url: str) -> str:
    """The last line of a run of that release's tests of the API, on that server."""
    quiet = ("-q", "-p", "no:cacheprovider", "-m", "not slow")
    # The second name is the one that older releases know.
    named = {"SUREFOOT_TEST_DATABASE_URL": url, "VEGAFS_TEST_DATABASE_URL": url}
    told = python(tree, "-m", "pytest", *quiet, *API_TESTS, **named)
    return told.strip().splitlines()[-1]


def tolerated(tree: Path) -> str:
    """The newest revision of this release on which the one in that folder may serve."""
    known = read_lock(tree / "alembic" / "revisions.lock")
    newest = known[-1].id
    ids = {revision.id for revision in known}
    for revision in read_revisions(ROOT / "alembic" / "versions"):
        if revision.id not in ids:
            if not Stranger(revision.id, revision.phase, revision.requires_code).tolerates(known):
                break
            newest = revision.id
    return newest


@pytest.mark.parametrize("whose", ["previous", "this"])
async def test_the_tests_of_a_release_pass_on_the_schema_of_the_other(
    previous: Path, private_server: PrivateServer, whose: str
) -> None:
    """They find a template of the name that they would give theirs, and take it."""
    running = private_server()
    tree = previous if whose == "previous" else ROOT
    name = python(tree, "-c", TEMPLATE_NAME).strip()
    await execute(running.url("postgres"), f'CREATE DATABASE "{name}" TEMPLATE template0')
    if whose == "this":
        python(previous, *UPGRADE, "head", DATABASE_URL=running.url(name))
    to = tolerated(previous) if whose == "previous" else "head"
    python(ROOT, *UPGRADE, to, DATABASE_URL=running.url(name))
    await execute(
        running.url("postgres"),
        f'ALTER DATABASE "{name}" WITH IS_TEMPLATE true ALLOW_CONNECTIONS false',
    )
    last_line = run_api_tests(tree, running.url("postgres"))
    assert re.match(r"\d+ passed", last_line), last_line
