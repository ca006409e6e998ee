"""Revisions of two branches: the lock of both, the order of mine, other ids in a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from surefoot.branches.fresh import other_than
from surefoot.branches.renaming import renamed
from surefoot.branches.renumbering import key, moves
from surefoot.chain.conflict import conflict_line, joined, sides
from surefoot.chain.revisions import Revision
from surefoot.chain.way_back import way_back
from surefoot.errors import RevisionsBroken, UsageError

BASE = "# Head.\n# files: 00\n1  -  expand  a  aa  f/2  clean/s\n"
OURS = f"{BASE}2  1  expand  mine  bb  f/2  clean/s\n"
THEIRS = f"{BASE}2  1  expand  theirs  cc  f/2  clean/s\n"
CONFLICT = (
    f"{BASE}<<<<<<< HEAD\n2  1  expand  mine  bb  f/2  clean/s\n"
    "{middle}=======\n2  1  expand  theirs  cc  f/2  clean/s\n>>>>>>> main\n"
)


@pytest.mark.parametrize("middle", ["", "||||||| 0123\nwhatever was there\n"])
def test_the_sides_of_a_conflict_are_taken_apart(middle: str) -> None:
    """Whether git shows the text before both or not."""
    text = CONFLICT.format(middle=middle)
    assert sides(text) == (OURS, THEIRS)
    assert (conflict_line(text), conflict_line(OURS)) == (4, None)
    assert sides(OURS) == (OURS, OURS)


def test_both_sides_of_a_merge_are_one_lock() -> None:
    """With each line once; one that a side has removed or changed is as that side has it."""
    head = "# Head.\n1  -  expand  a  aa  f/2  clean/s\n"
    # Nobody has seen these two together.
    mine, theirs = (f"2  1  expand  {name}  -  -/-\n" for name in ("mine  bb", "theirs  cc"))
    assert joined(BASE, OURS, THEIRS) == head + mine + theirs
    assert joined(OURS, BASE, OURS) == head
    judged = OURS.replace("clean/s\n2", "unknown/t\n2")
    assert (
        joined(OURS, judged, OURS)
        == joined(OURS, OURS, judged)
        == judged.replace("# files: 00\n", "")
    )
    both = joined(OURS, judged, OURS.replace("1  -  expand  a  aa", "1  -  expand  a  dd"))
    assert both.splitlines()[1] == "1  -  expand  a  aa  -  -/-"
    filled = f"{OURS}# One line a backfill: its name.\nbackfill  fill  ee\n"
    assert joined(BASE, filled, f"{THEIRS}baseline  1\n") == (
        "# Head.\nbaseline  1\n1  -  expand  a  aa  f/2  clean/s\n"
        f"{mine}{theirs}# One line a backfill: its name.\nbackfill  fill  ee\n"
    )


def revision(identifier: str, slug: str, *down: str) -> Revision:
    return Revision(identifier, down, "expand", slug, slug, path=Path(f"{identifier}_{slug}.py"))


START = revision("0001", "start")
THEIR_CHAIN = (START, revision("0002", "theirs", "0001"))


def placed(mine: Sequence[Revision], *views: Sequence[Revision]) -> list[tuple[str, ...]]:
    return [
        (move.path.name, *move.down, *(f"{a}>{b}" for a, b in sorted(move.ids.items()) if a != b))
        for move in moves(mine, THEIR_CHAIN, dict.fromkeys(map(key, mine), "0002"), views)
    ]


def test_mine_stand_behind_theirs_in_their_order() -> None:
    """Each with the next number, whatever the order of the names is."""
    mine = revision("0003", "b", "0002"), revision("0002", "z", "0001")
    assert placed(mine) == [
        ("0003_z.py", "0002", "0002>0003", "0003>0004"),
        ("0004_b.py", "0003", "0002>0003", "0003>0004"),
    ]
    assert placed([]) == []
    behind = (revision("0003", "b", "0002"),)
    assert placed(behind) == [("0003_b.py", "0002")]


def test_an_id_means_what_it_meant_on_its_branch() -> None:
    """Mine 0002 has become 0003 already; a later commit names it by its former id."""
    mine = revision("0003", "first", "0002"), revision("0003", "second", "0002")
    view = START, revision("0002", "first", "0001"), mine[1]
    assert placed(mine, view) == [
        ("0003_first.py", "0002"),
        ("0004_second.py", "0003", "0002>0003", "0003>0004"),
    ]


def test_a_file_of_mine_has_another_name_than_in_the_lock() -> None:
    """Its id means the same file, and those that build on it stay behind it."""
    former = revision("0002", "first", "0001"), revision("0003", "second", "0002")
    mine = replace(former[0], slug="zoo", path=Path("0002_zoo.py")), former[1]
    assert placed(mine, (START, *former)) == [
        ("0003_zoo.py", "0002", "0002>0003", "0003>0004"),
        ("0004_second.py", "0003", "0002>0003", "0003>0004"),
    ]


def test_ids_that_are_no_numbers_stay() -> None:
    """Only what they build on changes."""
    mine = (revision("c0ffee", "mine", "0001"),)
    assert placed(mine) == [("c0ffee_mine.py", "0002")]


FILE = '''"""Add rank, after 0002 and 10002; 0002_x.

Revision ID: 0003
Revises: 0002, 0001
"""

from alembic import op

revision, down_revision = "0003", ("0002", "0001")
depends_on: str = '0002'
phase = "contract"
requires_code = "0002"  # not 0001
NAMED = "0002"


def upgrade():
    """As 0002 did."""
    # allow avoid-renaming: nothing since 0002 reads it
    op.execute("UPDATE t SET a = '0002'")  # ü 0002
'''
IDS = {"0002": "0005", "0003": "0006"}


def test_ids_are_written_where_they_are_ids() -> None:
    """Among the names of Alembic, in docstrings and comments; other strings are told."""
    made = renamed(Path("f.py"), FILE.encode(), IDS, ("0005",))
    text = FILE.replace('"0003", ("0002", "0001")', '"0006", "0005"')
    for old, new in (
        ("after 0002", "after 0005"),
        ("ID: 0003", "ID: 0006"),
        ("Revises: 0002, 0001", "Revises: 0005"),
        ("depends_on: str = '0002'", "depends_on: str = '0005'"),
        ('requires_code = "0002"', 'requires_code = "0005"'),
        ("As 0002", "As 0005"),
        ("since 0002", "since 0005"),
        ("# ü 0002", "# ü 0005"),
    ):
        assert old in text
        text = text.replace(old, new)
    assert made.code.decode() == text
    assert made.left == [13, 19]


def test_a_number_in_a_sentence_is_no_id() -> None:
    """Without a zero before it, or with fewer than four characters, it follows `revision`."""
    code = b"# 1000 rows, of revision 1000; a 2b of revision 2b\n"
    made = renamed(Path("f.py"), code, {"1000": "1001", "2b": "3c"}, ())
    assert made.code == b"# 1000 rows, of revision 1001; a 2b of revision 3c\n"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_nothing_else_of_a_file_changes(ends: str) -> None:
    """Line ends, a byte order mark, an encoding of its own."""
    text = FILE.replace("\n", ends)
    for code in (text.encode(), text.encode("utf-8-sig")):
        assert renamed(Path("f.py"), code, {}, ("0002", "0001")).code == code
        moved = renamed(Path("f.py"), code, IDS, ("0005",)).code
        assert moved.count(ends.encode()) == code.count(ends.encode())
    latin = f"# coding: latin-1{ends}{text}".encode("latin-1")
    assert renamed(Path("f.py"), latin, {}, ("0002", "0001")).code == latin


def test_what_cannot_be_written_is_refused() -> None:
    """No Python, and an id that is computed."""
    with pytest.raises(RevisionsBroken, match=r"f\.py:1 is not Python"):
        renamed(Path("f.py"), b"def", {}, ())
    with pytest.raises(UsageError, match=r"f\.py computes down_revision"):
        renamed(Path("f.py"), b'revision = "1"\ndown_revision = str(0)\n', {}, ("2",))


def test_a_downgrade_reverts_what_it_should_and_no_more() -> None:
    """On a line, and of two branches that a revision merges."""
    line = ("1", ()), ("2", ("1",)), ("3", ("1",)), ("4", ("3",)), ("5", ("2", "4"))
    chain = [revision(identifier, "x", *down) for identifier, down in line]
    for applied, reverted, end in (
        ("12345", "12345", "base"),
        ("12345", "5", "2"),
        ("12345", "45", "3"),
        ("1345", "45", "3"),
        ("123", "3", None),
        ("13", "3", "1"),
        ("1234", "34", None),
    ):
        assert way_back(chain, applied, reverted) == end, (applied, reverted)


def test_the_database_that_a_reset_is_connected_to_is_another_one() -> None:
    """A session cannot rename its own."""
    assert (other_than("shop"), other_than("postgres")) == ("postgres", "template1")
