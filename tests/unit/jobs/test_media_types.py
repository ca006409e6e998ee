"""Media types by the ending of a name."""

import pytest

from app.jobs.media_types import MAX_ENDINGS, media_type, media_type_of_ending


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


def test_foreign_endings_do_not_fill_the_memory() -> None:
    """A tree of numbered files has an ending for each."""
    for number in range(MAX_ENDINGS + 100):
        assert media_type(f"part.{number}") is None
    assert media_type_of_ending.cache_info().currsize == MAX_ENDINGS
    assert media_type("a.txt") == "text/plain"
