"""Names of files that are bytes, listed as text."""

import random

import pytest

from app.jobs.names import listed, on_disk


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain.txt", "plain.txt"),
        ("café".encode(), "café"),
        (b"caf\xe9", r"caf\xe9"),
        (rb"caf\xe9", r"caf\x5cxe9"),
        (rb"system-\x2d.slice", r"system-\x2d.slice"),
        (rb"a\x5c", r"a\x5cx5c"),
        (b"\\\xff", r"\\xff"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
        (b"\xf4\x90\x80\x80", r"\xf4\x90\x80\x80"),
        (b"\xc0\x80", r"\xc0\x80"),
    ],
)
def test_what_is_not_utf8_is_escaped(name: bytes, text: str) -> None:
    """Surrogates, overlong forms and what lies beyond Unicode are not UTF-8 to PostgreSQL."""
    assert listed(name) == text
    assert on_disk(text) == name


def test_every_name_has_a_text_of_its_own() -> None:
    """Of names made of the bytes that matter, no two are listed alike, and each is found again."""
    pieces = [b"\\", b"x", b"5", b"c", b"f", b"8", b"\xff", b"\xc3", b"\xa9", b"\x5c", "é".encode()]
    chance = random.Random(2)
    names = {b"".join(chance.choices(pieces, k=chance.randint(1, 7))) for _ in range(30_000)}
    texts = {listed(name) for name in names}
    assert len(texts) == len(names)
    for name in names:
        assert on_disk(listed(name)) == name
        listed(name).encode()
