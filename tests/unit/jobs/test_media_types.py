"""Media types by the ending of a name."""

import pytest

from app.jobs import media_types
from app.jobs.media_types import media_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("README", None),
        ("notes.txt", "text/plain"),
        ("PHOTO.JPG", "image/jpeg"),
        ("archive.tar.gz", "application/gzip"),
        ("dump.xz", "application/x-xz"),
        (".bashrc", None),
        ("odd.", None),
        ("lib.so.1", None),
        ("table.csv", "text/csv"),
    ],
)
def test_the_ending_tells_the_type(name: str, expected: str | None) -> None:
    """And a name without a known one has none."""
    assert media_type(name) == expected


def test_foreign_endings_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree of numbered files has an ending for each."""
    monkeypatch.setattr(media_types, "_MAX_ENDINGS", 10)
    monkeypatch.setattr(media_types, "_known", {})
    for number in range(100):
        assert media_type(f"part.{number}") is None
    assert len(media_types._known) == 10
    assert media_type("a.txt") == "text/plain"
