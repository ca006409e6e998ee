"""Properties of the chain of revisions as a whole."""

import ast
import re
from functools import partial
from pathlib import Path

import pytest

from app.db.models import metadata
from harness.server import Server
from surefoot import Database
from surefoot.chain.revisions import Revision
from surefoot.target import Scratch
from surefoot.testing import ChainTests, scratch
from surefoot.testing.tests import *  # noqa: F403 - the tests of any chain

MIGRATIONS = ChainTests(
    Path(__file__).resolve().parents[2] / "alembic.ini",
    metadata,
    manages=("views", "functions", "triggers"),
    # The trigger sets it; until 0013 no key would refuse a number that was made up.
    values={"files.media_type_id": "NULL"},
)
CHAIN = MIGRATIONS.revisions()
# The longest walk of the three.
for name in [name for name in globals() if name.startswith("test_sql_")]:
    globals()[name] = pytest.mark.slow(globals()[name])


@pytest.fixture(scope="session")
def migrations_scratch(server: Server) -> Scratch:
    """Databases on the server of the run."""
    return partial(scratch, Database(scratch_url=server.url))


def test_revisions_are_numbered_without_a_gap() -> None:
    """Ids are consecutive numbers, each building on the one before."""
    assert [r.id for r in CHAIN] == [f"{n:04}" for n in range(1, len(CHAIN) + 1)]
    assert [r.down for r in CHAIN] == [(), *((r.id,) for r in CHAIN[:-1])]
    assert len(CHAIN) >= 5


@pytest.mark.parametrize("written", CHAIN, ids=lambda revision: revision.file_name)
def test_a_revision_says_what_it_locks_and_how_it_is_undone(written: Revision) -> None:
    """The docstring has a title, `Locks:` and `Undo:`."""
    assert written.path is not None
    docstring = ast.get_docstring(ast.parse(written.path.read_text("utf-8"))) or ""
    title, *rest = docstring.splitlines()
    assert re.fullmatch(r"[A-Z][^\n]{0,70}\.", title)
    assert any(line.startswith("Locks: ") for line in rest)
    assert any(line.startswith("Undo: ") for line in rest)
