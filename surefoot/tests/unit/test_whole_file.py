"""A file is replaced as a whole, or is as it was."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from surefoot.chain.whole_file import write_all, write_whole
from surefoot.errors import FileNotWritable

# The file system has no room after so many bytes.
FULL = """
import resource, sys
from pathlib import Path
from surefoot.chain.whole_file import write_all, write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
write_whole(Path(sys.argv[1]), b"longer than ten bytes")
"""
NOT_ROOT = """
import os, sys
from pathlib import Path
from surefoot.chain.whole_file import write_all, write_whole
if os.geteuid() == 0:
    os.setuid(65534)
write_whole(Path(sys.argv[1]), b"one")
"""


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    """A new one has the mode that the process gives to new files."""
    path = tmp_path / "revisions.lock"
    write_whole(path, b"one\r\n")
    assert path.read_bytes() == b"one\r\n"
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    path.chmod(0o640)
    write_whole(path, b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o640)


def test_a_file_with_another_name_keeps_its_mode(tmp_path: Path) -> None:
    """Also where its former name is another file's now."""
    one, two, three = (tmp_path / each for each in ("1.py", "2.py", "3.py"))
    one.touch(0o750)
    two.touch(0o640)
    write_all({three: b"two", two: b"one", one: None}, {three: two, two: one})
    assert [each.stat().st_mode & 0o777 for each in (two, three)] == [0o750, 0o640]


def test_a_link_stays_one(tmp_path: Path) -> None:
    """The file that it leads to is replaced."""
    target, link = tmp_path / "shared", tmp_path / "revisions.lock"
    target.touch()
    link.symlink_to(target)
    write_whole(link, b"one")
    assert (link.is_symlink(), target.read_bytes()) == (True, b"one")


def test_without_room_the_file_is_as_it_was(tmp_path: Path) -> None:
    """And no other file is left."""
    path = tmp_path / "revisions.lock"
    path.write_bytes(b"former")
    code = [sys.executable, "-c", FULL, str(path)]
    done = subprocess.run(code, capture_output=True, text=True, check=False)
    assert "FileNotWritable" in done.stderr
    assert (path.read_bytes(), [*tmp_path.iterdir()]) == (b"former", [path])


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """As is one without permission."""
    with pytest.raises(FileNotWritable, match=r"nowhere"):
        write_whole(tmp_path / "nowhere" / "revisions.lock", b"one")


def test_a_file_that_must_not_be_written_is_not_replaced() -> None:
    """Though its folder would allow it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "revisions.lock")
        path.write_bytes(b"former")
        path.chmod(0o444)
        Path(folder).chmod(0o777)
        code = [sys.executable, "-c", NOT_ROOT, str(path)]
        done = subprocess.run(code, capture_output=True, text=True, check=False)
        assert "FileNotWritable" in done.stderr
        assert path.read_bytes() == b"former"


def test_several_files_are_one_change(tmp_path: Path) -> None:
    """Where one cannot be written, all of them are as they were."""
    old, gone, new = (tmp_path / name for name in ("old", "gone", "new"))
    old.write_bytes(b"1")
    gone.write_bytes(b"2")
    with pytest.raises(FileNotWritable):
        write_all({gone: None, old: b"3", new: b"4", tmp_path / "nowhere" / "file": b"5"})
    assert (old.read_bytes(), gone.read_bytes(), new.exists()) == (b"1", b"2", False)
    write_all({gone: None, old: b"3", new: b"4"})
    assert (old.read_bytes(), gone.exists(), new.read_bytes()) == (b"3", False, b"4")
