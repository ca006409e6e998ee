"""Revision files that revisions.lock was written from are not parsed again."""

from dataclasses import replace
from pathlib import Path

import pytest

from surefoot.chain import revisions as chain
from surefoot.chain.known import revisions_of
from surefoot.chain.lockfile import check_lock, write_lock
from surefoot.chain.revisions import Revision, read_revisions, with_past
from surefoot.chain.source import source_codes
from surefoot.errors import LockFileStale, RevisionsBroken

# File names as templates of projects make them, and one that says nothing of its revision.
NAMES = ("0001_first.py", "2026_01_02-0002_second.py", "third_0003.py", "fourth.py", "0005_x.py")
MORE = {
    2: "# allow drop-column: nobody reads it\n",
    4: 'requires_code = "0003"\n',
}


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    folder = tmp_path / "versions"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        phase = "contract" if number == 4 else "expand"
        down = repr(f"{number:04}") if number else None
        (folder / name).write_text(
            f"revision = '{number + 1:04}'\ndown_revision = {down}\nphase = {phase!r}\n"
            f"{MORE.get(number, '')}\n\ndef upgrade() -> None:\n    pass\n",
            "utf-8",
        )
    write_lock(tmp_path / "revisions.lock", read_revisions(folder))
    return folder


def everything(revisions: tuple[Revision, ...]) -> list[object]:
    return [vars(each) for each in revisions]


def test_they_are_the_same_as_read_from_the_files(
    versions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those are parsed that may say more than their line, or whose name is another."""
    read, asked = read_revisions(versions), []

    def parsed(path: Path, code: bytes) -> object:
        asked.append(path.name)
        return chain.parsed(path, code)

    monkeypatch.setattr("surefoot.chain.known.parsed", parsed)
    found = revisions_of(versions.parent / "revisions.lock", source_codes(versions))
    assert everything(found) == everything(read)
    assert asked == ["0005_x.py", "fourth.py", "third_0003.py"]


@pytest.mark.parametrize("field", range(5))
def test_a_line_that_was_edited_is_noticed(versions: Path, field: int) -> None:
    """Also where all files are as they were: they are parsed, and the comparison refuses."""
    lock = versions.parent / "revisions.lock"
    *above, newest = lock.read_text("utf-8").splitlines()
    fields = newest.split("  ")
    fields[field] = ["0006", "0003", "expand", "y", "0" * 64][field]
    lock.write_text("\n".join([*above, "  ".join(fields), ""]), "utf-8")
    found = revisions_of(lock, source_codes(versions))
    assert everything(found) == everything(read_revisions(versions))
    if field != 3:  # the name is for people
        with pytest.raises(LockFileStale):
            check_lock(lock, found)


def test_a_verdict_changes_nothing_that_is_read(
    versions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command writes it into the lock as it finds it; a baseline is read, and a broken line."""
    lock, codes = versions.parent / "revisions.lock", source_codes(versions)
    read = revisions_of(lock, codes)
    write_lock(lock, [replace(each, verdict="clean", fingerprint="0" * 64) for each in read])
    monkeypatch.setattr("surefoot.chain.known.known_revisions", None)
    assert revisions_of(lock, codes) is read
    monkeypatch.undo()
    write_lock(lock, with_past(read, ["0002"]))
    assert [each.past for each in revisions_of(lock, codes)] == [True, True, False, False, False]
    lock.write_text(lock.read_text("utf-8").replace("  contract  ", "  contra  "), "utf-8")
    with pytest.raises(RevisionsBroken):
        revisions_of(lock, codes)


def test_two_files_of_one_revision_are_told_apart_by_their_code(versions: Path) -> None:
    """A name that fits a line of another file misleads nobody."""
    lock = versions.parent / "revisions.lock"
    (versions / "0001_first.py").rename(versions / "0001-first.py")
    (versions / "0005_x.py").rename(versions / "0001_first.py")
    read = read_revisions(versions)
    write_lock(lock, read)
    assert everything(revisions_of(lock, source_codes(versions))) == everything(read)


@pytest.mark.parametrize("more", ["", "depends_on = 'later'\n"], ids=["alone", "a label"])
def test_a_new_file_is_parsed_alone(
    versions: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    """The others are as the lock has them, unless it names a label, which only their text has."""
    lock, asked = versions.parent / "revisions.lock", list[str]()
    with (versions / NAMES[1]).open("a", encoding="utf-8") as labelled:
        labelled.write("branch_labels = ('later',)\n")
    write_lock(lock, read_revisions(versions))
    (versions / "0006_new.py").write_text(
        f"revision = '0006'\ndown_revision = '0005'\n{more}", "utf-8"
    )
    parsed = chain.parsed.__wrapped__

    def asking(path: Path, code: bytes) -> object:
        asked.append(path.name)
        return parsed(path, code)

    monkeypatch.setattr(chain, "parsed", asking)
    found = revisions_of(lock, source_codes(versions))
    assert set(asked) == {"0006_new.py", *(NAMES if more else ())}
    assert everything(found) == everything(read_revisions(versions))


def test_a_new_file_with_the_id_of_another_is_refused(versions: Path) -> None:
    """As where nothing is known of either."""
    (versions / "new.py").write_text("revision = '0001'\ndown_revision = None\n", "utf-8")
    with pytest.raises(RevisionsBroken, match=r"0001_first\.py and new\.py both say"):
        revisions_of(versions.parent / "revisions.lock", source_codes(versions))
