"""Walking real folders."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.jobs.walk import Found, Tally, walk


def files_below(
    root: Path,
    start: bytes = b"",
    *,
    batch_rows: int = 3,
    cross_mounts: bool = False,
) -> tuple[dict[str, Found], Tally]:
    tally = Tally()
    batches = walk(
        os.fsencode(root),
        start,
        tally,
        batch_rows=batch_rows,
        cross_mounts=cross_mounts,
        stop=threading.Event(),
    )
    found = [file for batch in batches for file in batch]
    assert len({file.path for file in found}) == len(found) == tally.files
    return {file.path: file for file in found}, tally


def test_regular_files_are_found_and_nothing_else(tmp_path: Path) -> None:
    """Symlinks, pipes and sockets are neither followed nor listed; sizes and modes are right."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/data.json").write_bytes(b"12345")
    (tmp_path / "a/b/data.json").chmod(0o640)
    os.utime(tmp_path / "a/b/data.json", ns=(0, 1_600_000_000_123_456_789))
    (tmp_path / "top").write_bytes(b"")
    (tmp_path / "link_to_file").symlink_to("top")
    (tmp_path / "link_to_folder").symlink_to("a")
    (tmp_path / "link_to_nothing").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe")
    found, tally = files_below(tmp_path)
    assert set(found) == {"a/b/data.json", "top"}
    assert found["a/b/data.json"] == Found(
        "a/b/data.json", 5, 1_600_000_000_123_456, 0o640, "application/json"
    )
    assert (tally.files, tally.size_bytes, tally.directories, tally.errors) == (2, 5, 3, 0)


def test_paths_are_relative_to_the_root_wherever_the_walk_starts(tmp_path: Path) -> None:
    """A part of a volume is listed as the whole would list it."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").touch()
    (tmp_path / "c").touch()
    assert set(files_below(tmp_path, b"a")[0]) == {"a/b/file"}


def test_names_that_are_not_utf8_are_listed_escaped(tmp_path: Path) -> None:
    """In folders and files, without a collision."""
    (tmp_path / os.fsdecode(b"f\xff")).mkdir()
    for name in (b"f\xff/\xe9.txt", rb"f\xff", "ü".encode(), b"new\nline"):
        (tmp_path / os.fsdecode(name)).touch()
    found, tally = files_below(tmp_path)
    assert set(found) == {r"f\xff/\xe9.txt", r"f\x5cxff", "ü", "new\nline"}
    assert tally.errors == 0
    assert set(files_below(tmp_path, b"f\xff")[0]) == {r"f\xff/\xe9.txt"}


def after(calls: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Act just before the given number of folders has been opened."""
    real = os.open
    count = 0

    def opening(path: bytes, flags: int, *, dir_fd: int | None = None) -> int:
        nonlocal count
        count += 1
        if count == calls:
            act()
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opening)


def test_a_folder_swapped_for_a_symlink_is_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between being listed and being opened it becomes a link to somewhere else."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "folder").mkdir(parents=True)
    (root / "folder/mine").touch()
    outside.mkdir()
    (outside / "secret").touch()

    def swap() -> None:
        (root / "folder").rename(tmp_path / "away")
        (root / "folder").symlink_to(outside)

    # 1: the root; 2: the folder in it.
    after(2, swap, monkeypatch)
    found, tally = files_below(root)
    assert found == {}
    assert (tally.directories, tally.errors) == (1, 0)


def test_a_parent_swapped_for_a_symlink_is_not_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step of the way down is opened without following, not the last one alone."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "a/b").mkdir(parents=True)
    (outside / "b").mkdir(parents=True)
    (outside / "b/secret").touch()

    def swap() -> None:
        (root / "a").rename(tmp_path / "away")
        (root / "a").symlink_to(outside)

    # 1: the root; 2: a; 3: a again, on the way to b.
    after(3, swap, monkeypatch)
    found, _ = files_below(root)
    assert found == {}


def test_the_folder_to_start_at_may_not_be_a_symlink_either(tmp_path: Path) -> None:
    """A request named a folder; what is there now is something else."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to("/etc")
    with pytest.raises(NotADirectoryError):
        files_below(tmp_path / "root", b"link")
    with pytest.raises(NotADirectoryError):
        files_below(tmp_path / "root", b"link/ssl")


def test_folders_that_vanish_or_cannot_be_read_do_not_end_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is gone, which is no error; one is counted, and what is below it is unknown."""
    for name in ("gone", "locked", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    real = os.open

    def opening(path: bytes, flags: int, *, dir_fd: int | None = None) -> int:
        if path == b"locked":
            raise PermissionError(13, "Permission denied")
        if path == b"gone":
            raise FileNotFoundError(2, "No such file or directory")
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opening)
    found, tally = files_below(tmp_path)
    assert set(found) == {"open/file"}
    assert tally.errors == 1
    assert tally.error_examples == [{"path": "locked", "reason": "Permission denied"}]
    assert tally.unseen == ["locked"]


def test_a_path_too_long_for_the_index_is_counted_and_left_out(tmp_path: Path) -> None:
    """PostgreSQL would refuse the batch; a deep tree does not run out of descriptors.

    Folders are opened from the root down: a chain would take the square of its depth.
    """
    name = "d" * 200
    depth = 14
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
    found, tally = files_below(tmp_path)
    assert max(len(path) for path in found) <= 2600
    assert len(found) == 12
    assert tally.errors == 1
    assert tally.error_examples[0]["reason"] == "its path is longer than 2600 bytes"
    assert tally.directories == 13


def test_a_long_name_in_the_last_folder_is_counted_and_left_out(tmp_path: Path) -> None:
    """Each byte that is not UTF-8 takes four."""
    folder = os.fsencode(tmp_path) + b"".join(b"/" + b"\xff" * 200 for _ in range(3))
    Path(os.fsdecode(folder)).mkdir(parents=True)
    Path(os.fsdecode(folder + b"/" + b"\xff" * 50)).touch()
    Path(os.fsdecode(folder + b"/" + b"\xff" * 49)).touch()
    found, tally = files_below(tmp_path)
    assert [len(path.encode()) for path in found] == [2599]
    assert tally.errors == 1


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="/dev/shm is no mount of its own")
def test_a_walk_stays_on_its_file_system() -> None:
    """A mount point below is counted, and its contents are unknown."""
    _, tally = files_below(Path("/dev"))
    assert tally.mounts_skipped >= 1
    assert "shm" in tally.unseen


def test_mounts_are_crossed_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as device numbers tell."""
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted/file").touch()
    real = os.fstat
    inode = (tmp_path / "mounted").stat().st_ino

    def fstat(fd: int) -> os.stat_result:
        status = real(fd)
        if status.st_ino != inode:
            return status
        values = list(status)
        values[2] += 1  # st_dev
        return os.stat_result(values)

    monkeypatch.setattr(os, "fstat", fstat)
    found, tally = files_below(tmp_path)
    assert (found, tally.mounts_skipped, tally.unseen) == ({}, 1, ["mounted"])
    found, tally = files_below(tmp_path, cross_mounts=True)
    assert (set(found), tally.mounts_skipped) == ({"mounted/file"}, 0)


def test_a_walk_that_is_stopped_ends_and_closes_what_it_opened(tmp_path: Path) -> None:
    """In the middle of a folder."""
    for number in range(50):
        (tmp_path / str(number)).touch()
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    stop = threading.Event()
    batches = walk(os.fsencode(tmp_path), b"", Tally(), batch_rows=10, stop=stop)
    assert len(next(batches)) == 10
    stop.set()
    assert list(batches) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_times_that_no_calendar_has_are_brought_into_it(tmp_path: Path) -> None:
    """File systems keep years that neither Python nor a reader knows."""
    (tmp_path / "late").touch()
    try:
        os.utime(tmp_path / "late", (0, 300_000_000_000))
    except (OSError, OverflowError):
        pytest.skip("this file system keeps no such time")
    found, _ = files_below(tmp_path)
    assert found["late"].modified_us <= 253_402_300_799_000_000
