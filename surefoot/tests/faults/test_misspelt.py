"""A name that there is not is answered with the nearest one, which is never used in its place."""

from __future__ import annotations

import shlex

import pytest

from harness.databases import Database, value
from harness.runs import Chain, Launcher
from surefoot.chain.revisions import Revision
from surefoot.chain.typed import near, revision_typed
from surefoot.errors import RevisionUnknown, TargetUnknown

BACKFILL = """\
from surefoot import Backfill


class It(Backfill):
    after, table, todo, sets = "0001", "t1", "id IS NULL", {"id": "1"}
"""
REVISION = "did you mean '0002'? `alembic history` lists the revisions"
MISSPELT = {
    "alembic upgrade haed": "did you mean 'head'?",
    "surefoot staus": "there is no command 'staus'; did you mean `surefoot status`?",
    "surefoot backfill retry": (
        "there is no command 'retry'; did you mean `surefoot backfill retry-failed`?"
    ),
    "surefoot history": "there is no command 'history'; did you mean `alembic history`?",
    "surefoot zzz": "there is no command 'zzz'\n",
    "surefoot status --exitcode": "there is no option '--exitcode'; did you mean '--exit-code'?",
    "surefoot explain avoid-trunkate": (
        "there is no rule or code 'avoid-trunkate'; did you mean 'avoid-truncate'?"
    ),
    "surefoot explain mutex-hold": "did you mean 'mutex-held'?",
    "surefoot lint --level avoid-trunkate=off": "did you mean 'avoid-truncate'?",
    "surefoot backfill run numbr": "did you mean 'number'?",
    "surefoot lint 0020": REVISION,
    "surefoot lint chnge": "did you mean '0002'?",
    "surefoot upgrade 0003": REVISION,
    "surefoot downgrade 0003": REVISION,
    "surefoot squash 0003": REVISION,
    "surefoot explain avoid-truncate 0003": REVISION,
    "surefoot ops accept-checksum 0003 --reason test": REVISION,
    "surefoot ops stamp 0003 --reason test --execute": REVISION,
    "alembic upgrade 0003": REVISION,
    "alembic upgrade 3": REVISION,
    "alembic stamp 0003": REVISION,
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("line", MISSPELT)
async def test_the_nearest_is_named(
    chain: Chain, empty_database: Database, launcher: Launcher, line: str
) -> None:
    """Exit code 2, and nothing was done."""
    chain.add("op.execute('CREATE TABLE t1 (id int)')")
    chain.add("op.execute('CREATE TABLE t2 (id int)')")
    folder = chain.folder / "alembic" / "backfills"
    folder.mkdir()
    (folder / "number.py").write_text(BACKFILL)
    chain.lock()
    program, *arguments = shlex.split(line)
    url = empty_database.url
    env = {"SUREFOOT_TEST_SCRATCH_URL": url}
    result = await launcher.alembic(chain, *arguments, url=url, env=env, program=program)
    assert (result.code, MISSPELT[line] in result.err) == (2, True), result.err
    assert await value(url, "SELECT to_regclass('t1')") is None


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("add_priorty", "9f2"),
        ("9f2c_add_priority", "9f2"),
        ("9f3", "9f2"),
        ("zzzzzz", None),
        ("", None),
    ],
)
def test_ids_that_are_no_numbers_are_found_by_spelling(name: str, found: str | None) -> None:
    """Of the id, the title, or both."""
    chain = [
        Revision("1aa", (), "expand", "create_jobs", ""),
        Revision("9f2", ("1aa",), "expand", "add_priority", ""),
    ]
    assert near(name, chain) == found


def test_the_ends_of_a_chain_are_names_too() -> None:
    """Where a command takes them."""
    chain = [Revision("1aa", (), "expand", "create_jobs", "")]
    assert (near("haed", chain), near("bsae", chain, ["head", "base"])) == (None, "base")
    with pytest.raises(RevisionUnknown) as refused:
        revision_typed("haed", chain)
    assert refused.value.near == "head"


def test_a_revision_is_known_by_the_beginning_of_its_id() -> None:
    """Where that is of one alone."""
    chain = [Revision("1aa", (), "expand", "a", ""), Revision("1ab", ("1aa",), "expand", "b", "")]
    assert [revision_typed(name, chain) for name in ("1aa", "1ab", "head")] == ["1aa", "1ab", "1ab"]
    with pytest.raises(RevisionUnknown, match="'1a' is not one revision: 1aa, 1ab begin with it"):
        revision_typed("1a", chain)
    with pytest.raises(RevisionUnknown, match="no revision is ''"):
        revision_typed("", chain)


def test_a_target_is_named_or_said_how_to_add() -> None:
    """The names are no secret; their URLs are."""
    assert TargetUnknown("ue", ["eu", "us"]).help == "did you mean 'eu'?"
    some, none = TargetUnknown("x", ["eu"]).help, TargetUnknown("x", []).help
    assert some == f"name one of them, or {none}"
