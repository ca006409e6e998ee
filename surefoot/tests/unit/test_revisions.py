"""Revision files and revisions.lock, read from disk."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from surefoot.chain import revisions as chain
from surefoot.chain.lockfile import (
    baseline,
    check_lock,
    lock_header,
    read_lock,
    with_known,
    write_lock,
)
from surefoot.chain.numbering import next_number
from surefoot.chain.revisions import ancestors, heads, read_revisions, with_past
from surefoot.chain.titles import title_of
from surefoot.cli.lock import told
from surefoot.errors import LockFileStale, RevisionsBroken


def write(folder: Path, number: str, down: str | None, extra: str = 'phase = "expand"') -> Path:
    path = folder / f"{number}_step_{number}.py"
    path.write_text(f"revision = {number!r}\ndown_revision = {down!r}\n{extra}\n", "utf-8")
    return path


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    folder = tmp_path / "versions"
    folder.mkdir()
    write(folder, "0001", None)
    write(folder, "0002", "0001")
    write(folder, "0003", "0002", 'phase = "contract"')
    return folder


def test_revisions_are_read_in_the_order_in_which_they_apply(versions: Path) -> None:
    """The order follows down_revision, whatever the files are called."""
    write(versions, "0000a", "0003")
    revisions = read_revisions(versions)
    assert [r.id for r in revisions] == ["0001", "0002", "0003", "0000a"]
    assert [r.phase for r in revisions] == ["expand", "expand", "contract", "expand"]
    assert revisions[1].slug == "step_0002"
    assert revisions[1].down == ("0001",)
    assert heads(revisions) == {"0000a"}
    assert ancestors(revisions, ["0002"]) == {"0001", "0002"}


def test_the_code_that_a_contract_revision_needs_is_read(versions: Path) -> None:
    """It is one of those before it; a revision that names none has none."""
    write(versions, "0004", "0003", 'phase = "contract"\nrequires_code = "0002"')
    assert [r.requires_code for r in read_revisions(versions)] == [None, None, None, "0002"]


def test_a_merge_has_both_its_predecessors(versions: Path) -> None:
    """Branches and merges of an adopted history are read as they are."""
    write(versions, "0002b", "0001")
    (versions / "0004_merge.py").write_text(
        'revision: str = "0004"\ndown_revision = ("0003", "0002b")\n', "utf-8"
    )
    revisions = read_revisions(versions)
    assert heads(revisions) == {"0004"}
    assert revisions[-1].down == ("0003", "0002b")
    # A revision without a phase is treated as one that an older release may not survive.
    assert revisions[-1].phase == "contract"
    write_lock(versions.parent / "lock", revisions)
    assert read_lock(versions.parent / "lock") == revisions


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("x.py", 'revision = "0001"', "0001_step_0001.py and x.py both say revision = '0001'"),
        ("x.py", 'revision = "9"\ndown_revision = "8"', "9 builds on 8, which no file has"),
        (
            "x.py",
            'revision = "9"\nphase = "later"',
            "x.py: phase is 'later'; it is expand or contract",
        ),
        (
            "x.py",
            'revision = "9"\nrequires_code = "8"\nphase = "contract"',
            "9 requires the code of 8, which is not among the revisions that it builds on",
        ),
        (
            "x.py",
            'revision = "9"\ndown_revision = "0003"\nrequires_code = "9"',
            "9 requires the code of 9, which is not among the revisions that it builds on",
        ),
        (
            "x.py",
            'revision = "9"\nrequires_code = "0001"\nphase = "expand"',
            "x.py: requires_code is '0001' in a revision of phase expand",
        ),
        (
            "x.py",
            'revision = "9"\nrequires_code = 1\nphase = "contract"',
            "x.py: requires_code is 1 in a revision of phase contract",
        ),
        ("x.py", "revision = ", "x.py:1 is not Python: invalid syntax"),
        (
            "x.py",
            "revision = 9",
            "x.py: revision, down_revision and depends_on are not strings",
        ),
        (
            "0001_step_0001.py",
            'revision = "0001"\ndown_revision = "0003"',
            "the revisions 0001, 0002, 0003 build on each other in a circle",
        ),
    ],
)
def test_a_broken_chain_is_named(versions: Path, name: str, source: str, message: str) -> None:
    """Each thing that can be wrong with the files has its own message."""
    (versions / name).write_text(source + "\n", "utf-8")
    with pytest.raises(RevisionsBroken) as caught:
        read_revisions(versions)
    assert caught.value.message == message
    assert caught.value.exit_code == 2
    assert caught.value.help


def test_a_file_without_a_revision_is_not_one(versions: Path) -> None:
    """Helpers beside the revisions are left alone."""
    (versions / "helpers.py").write_text("X = 1\n", "utf-8")
    assert len(read_revisions(versions)) == 3


def test_a_fresh_lock_is_silent_and_written_once(versions: Path) -> None:
    """Writing what is there already changes nothing."""
    lock = versions.parent / "revisions.lock"
    revisions = read_revisions(versions)
    assert write_lock(lock, revisions)
    assert not write_lock(lock, revisions)
    check_lock(lock, revisions)
    assert lock.read_text("utf-8").startswith(lock_header())
    assert read_lock(lock) == revisions


def test_a_stale_lock_names_each_difference(versions: Path) -> None:
    """Missing, gone and edited are told apart, with the command that helps."""
    lock = versions.parent / "revisions.lock"
    write_lock(lock, read_revisions(versions))
    (versions / "0003_step_0003.py").unlink()
    write(versions, "0002", "0001", 'phase = "expand"\nX = 1')
    write(versions, "0004", "0002")
    with pytest.raises(LockFileStale) as caught:
        check_lock(lock, read_revisions(versions))
    assert caught.value.render() == (
        "ERROR [lock-file-stale]  revisions.lock does not match the revision files: "
        "0004 is not in it; 0003 has no file; 0002 was edited\n"
        "  help: run `surefoot lock` and commit the file"
    )
    assert caught.value.exit_code == 1


def test_a_verdict_is_known_where_its_seal_is_that_of_the_file(versions: Path) -> None:
    """A comment that allowed a rule is gone, a line was edited by hand, the rules are newer."""
    lock, path = versions.parent / "revisions.lock", versions / "0001_step_0001.py"
    (versions / "0003_step_0003.py").unlink()
    allowed = path.read_text("utf-8") + "\n# allow avoid-truncate: it is a cache\n"
    path.write_text(allowed, "utf-8")

    def known() -> list[tuple[str | None, str | None]]:
        found = with_known(read_revisions(versions), read_lock(lock))
        return [(each.fingerprint, each.verdict) for each in found]

    linted = [
        replace(each, fingerprint="f/2", verdict=verdict)
        for each, verdict in zip(read_revisions(versions), ("clean", "avoid-x"), strict=True)
    ]
    write_lock(lock, linted)
    written = lock.read_text("utf-8")
    assert known() == [("f/2", "clean"), ("f/2", "avoid-x")]
    path.write_text(allowed.replace("avoid-truncate", "avoid-renaming"), "utf-8")
    assert known() == [(None, None), ("f/2", "avoid-x")]
    # At another statement it allows something else.
    head, _, rest = allowed.partition("\n\n\n")
    comment = "# allow avoid-truncate: it is a cache\n"
    path.write_text(f"{head}\n{comment}\n\n{rest.replace(comment, '')}", "utf-8")
    assert known() == [(None, None), ("f/2", "avoid-x")]
    path.write_text(f"{allowed}# another comment\n\n", "utf-8")
    assert known() == [("f/2", "clean"), ("f/2", "avoid-x")]
    path.write_text(allowed, "utf-8")
    lock.write_text(written.replace("avoid-x", "clean"), "utf-8")
    assert known() == [("f/2", "clean"), (None, None)]
    lock.write_text(re.sub("/[0-9a-f]{16}", "", written), "utf-8")
    assert known() == [(None, None), (None, None)]
    write_lock(lock, linted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "RULES_VERSION", "0")
        assert known() == [(None, None), (None, None)]


@pytest.mark.parametrize(
    ("file", "identifier", "slug"),
    [
        ("0002_add_city", "0002", "add_city"),
        ("0002_add_city_to_", "0002", "add_city_to"),
        ("2026_01_02_1200-ae10_add_city", "ae10", "add_city"),
        ("add_city_ae10", "ae10", "add_city"),
        ("add_city", "ae10", "add_city"),
        ("ae10b_city", "ae10", "ae10b_city"),
        ("0002 add  city", "0002", "add  city"),
        ("0002_größe_表", "0002", "größe_表"),
        ("0002", "0002", "0002"),
        ("0002_x", "my revision", "0002_x"),
        ("#2%20", "#2%20", "#2%20"),
        ("0002_\u2028\x85_x", "two\u2003words", "0002_\u2028\x85_x"),
        ("0002_\udcff", "0002", "?"),
    ],
)
def test_a_file_may_have_any_name_and_any_id(
    tmp_path: Path, file: str, identifier: str, slug: str
) -> None:
    """The lock has one line of seven fields for it."""
    path, lock = tmp_path / f"{file}.py", tmp_path / "revisions.lock"
    path.write_text(f"revision = {identifier!r}\ndown_revision = '0001'\n", "utf-8")
    (tmp_path / "0001.py").write_text("revision = '0001'\n", "utf-8")
    revisions = sorted(read_revisions(tmp_path), key=lambda each: not each.down)
    assert (revisions[0].slug, revisions[0].file_name) == (slug, path.name)
    write_lock(lock, [replace(each, past=True) for each in revisions])
    assert [(each.id, each.slug, each.past) for each in read_lock(lock)] == [
        (each.id, each.slug, True) for each in revisions
    ]
    check_lock(lock, revisions)


@pytest.mark.parametrize(
    ("ids", "following"),
    [
        ([], "0001"),
        (["0001"], "0002"),
        (["0998", "0999"], "1000"),
        (["ae1027a6", "0001", "0002", "0003"], "0004"),
        (["0001", "0002", "0004", "0005"], "0006"),
        (["1", "9", "10"], "11"),
        (["0002", "0003", "0001"], "0004"),
        (["0005", "0001", "0002", "0004"], None),
        (["0001", "0002", "ae1027a6"], None),
        (["0001", "0002", "0003b"], None),
        (["001", "0002"], None),
        (["121699507574"], None),
        (["20260102"], None),
        (["4711", "0815"], None),
        (["1027", "0003"], None),
        (["\u0661"], None),
    ],
)
def test_only_a_numbered_chain_has_a_next_number(ids: list[str], following: str | None) -> None:
    """Not one of hashes that happen to be digits, nor of dates."""
    assert next_number(ids) == following


def test_a_file_is_run_where_it_is_not_read_otherwise(tmp_path: Path) -> None:
    """And only then; a name of hexadecimal digits stands for the id that a file does not say."""
    for name, text in (
        ("0001.py", "import nothing_of_that_name\nrevision = '0001'\n"),
        ("0002.py", "OTHER = '0001'\nrevision = '00' + '02'\ndown_revision = [OTHER]\n"),
        ("0003_x.py", "down_revision = '0002'\nglobals()['revision'] = '0003'\n"),
        ("ae10.py", "down_revision = '0003'\n"),
        ("helper.py", "x = 1\n"),
    ):
        (tmp_path / name).write_text(text, "utf-8")
    found = {each.id: each.down for each in read_revisions(tmp_path)}
    assert found == {"0001": (), "0002": ("0001",), "0003": ("0002",), "ae10": ("0003",)}


def test_a_renamed_file_is_no_edit(versions: Path) -> None:
    """Fingerprint and verdict stay; the lock gets the new words when it is written."""
    lock = versions.parent / "lock"
    write_lock(lock, [replace(each, verdict="clean") for each in read_revisions(versions)])
    (versions / "0002_step_0002.py").rename(versions / "2026_other-0002.py")
    check_lock(lock, read_revisions(versions))
    known = with_known(read_revisions(versions), read_lock(lock))
    assert [each.verdict for each in known] == ["clean"] * 3
    assert write_lock(lock, known)
    assert [each.slug for each in read_lock(lock)] == ["step_0001", "2026_other", "step_0003"]


def test_a_baseline_is_kept_by_the_lock(versions: Path) -> None:
    """The revisions up to it are taken as they are; no verdict is missed, no rule is broken."""
    write(versions, "0002b", "0001")
    lock = versions.parent / "lock"
    revisions = with_past(read_revisions(versions), ["0002", "0002b"])
    write_lock(lock, [replace(each, verdict="avoid-drop-table") for each in revisions])
    assert "\nbaseline  0002+0002b\n" in lock.read_text("utf-8")
    locked = read_lock(lock)
    assert [each.id for each in locked if each.past] == ["0001", "0002", "0002b"]
    assert [each.id for each in locked if each.broken_rules] == ["0003"]
    assert [each.id for each in with_past(revisions, ["0002"]) if each.is_unknown] == ["0003"]
    write_lock(lock, with_past(read_revisions(versions), baseline(lock)))
    assert baseline(lock) == {"0002", "0002b"}


def test_a_baseline_that_is_no_revision_is_refused(versions: Path) -> None:
    """Whether a revision is taken as it is would depend on a file that is gone."""
    with pytest.raises(RevisionsBroken, match="the baseline names 0009"):
        with_past(read_revisions(versions), ["0009"])


def test_a_lock_with_git_conflict_marks_is_refused(tmp_path: Path) -> None:
    """Conflict markers of git are named by file and line."""
    lock = tmp_path / "revisions.lock"
    lock.write_text("0001  -  expand  a  00  -  -\n<<<<<<< HEAD\n", "utf-8")
    with pytest.raises(RevisionsBroken, match=r"revisions\.lock:2 has a conflict of git"):
        read_lock(lock)


def test_a_missing_lock_says_how_to_write_it(tmp_path: Path) -> None:
    """The help is the command."""
    with pytest.raises(RevisionsBroken) as caught:
        read_lock(tmp_path / "revisions.lock")
    assert caught.value.message.endswith("/revisions.lock")
    assert "`surefoot lock` writes it" in (caught.value.help or "")


@pytest.mark.parametrize(
    ("docstring", "title"),
    [
        ('"""Count the jobs.\n\nIt takes a moment.\n"""', "Count the jobs"),
        ('"""\nCount the jobs\nof a file.\n"""', "Count the jobs of a file"),
        ('""""""', "step 0001"),
        ("", "step 0001"),
        ("def upgrade(:", "step 0001"),
        ('"""\0"""', "step 0001"),
    ],
)
def test_a_title_is_the_beginning_of_the_docstring(
    versions: Path, docstring: str, title: str
) -> None:
    """Of a file that cannot be read, the words of its name."""
    first = read_revisions(versions)[0]
    assert first.path is not None
    first.path.write_text(f"{docstring}\nrevision = '0001'\n", "utf-8")
    assert title_of(first) == title
    assert title_of(replace(first, path=versions / "gone.py")) == "step 0001"
    assert title_of(replace(first, path=None)) == "step 0001"


def test_what_lock_found_is_told_by_rule(versions: Path) -> None:
    """A line for each revision would hide everything else in a long history."""
    first, second, third = read_revisions(versions)
    one = [replace(first, verdict="avoid-truncate"), replace(second, verdict="unknown")]
    assert [*told(one)] == [
        "0001 breaks avoid-truncate: surefoot lint 0001",
        "0002 was not seen to its end: surefoot lint 0002",
    ]
    both = [replace(each, verdict="avoid-truncate+require-downgrade") for each in (first, third)]
    assert [*told([*both, replace(second, verdict="clean")])] == [
        "0001, 0003 break avoid-truncate, require-downgrade: surefoot lint"
    ]
    many = [replace(first, id=f"{n:04}", verdict="avoid-truncate+unknown") for n in range(1, 41)]
    assert [*told(many)] == [
        "0001, 0002, …, 0039, 0040, 40 in all break avoid-truncate: surefoot lint",
        "0001, 0002, …, 0039, 0040, 40 in all were not seen to their end: surefoot lint",
    ]
