"""Numbers, durations and sizes as every message writes them, and names that are near."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.errors import LockFileStale
from surefoot.wording import (
    counted,
    duration,
    either,
    in_order,
    listed,
    plural,
    roughly,
    size,
    suggestion,
)

LIBRARY = Path(__file__).resolve().parents[2] / "src"
SERVICE = Path(__file__).resolve().parents[3] / "app"
SOURCES = sorted([*LIBRARY.rglob("*.py"), *SERVICE.rglob("*.py")])
PAGES = sorted(LIBRARY.rglob("*.html"))
# A word of many behind a number, perhaps with an adjective; these words of s are of one.
_MANY = re.compile(
    r" (?:[a-z]+ )?(?!(?:was|has|is|as|its|this|does|times)\b)[a-z]{2,}s(?![a-z/=(])"
)
_A_NUMBER = re.compile(r"(?:^|[._ ])(?:count|number|total|rows|attempts)$|^(?:len|sum)\(")
_UNITS = re.compile(r" (?:s|min|h|B|kB|KB|MB|GB|TB)(?![\w'])")


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "row", "0 rows"),
        (1, "row", "1 row"),
        (1200, "row", "1,200 rows"),
        (2, "batch", "2 batches"),
        (2, "policy", "2 policies"),
        (2, "key", "2 keys"),
        (2, "index", "2 indexes"),
        (60, "statistics", "60 statistics"),
        (3, "earlier revision", "3 earlier revisions"),
    ],
)
def test_a_number_has_its_noun(number: int, noun: str, said: str) -> None:
    """One, several, none."""
    assert counted(number, noun) == said


def test_a_verb_goes_with_the_number() -> None:
    """So a sentence about one is right, too."""
    assert counted(1, "table", "is/are") == "1 table is"
    assert counted(2, "table", "is/are") == "2 tables are"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "1 row"),
        (9_800, "9,800 rows"),
        (12_340, "12.3k rows"),
        (29_804_412, "29.8M rows"),
        (2_100_000_000, "2.1G rows"),
    ],
)
def test_an_estimate_has_three_digits(number: int, said: str) -> None:
    """The others are noise."""
    assert roughly(number, "row") == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.004, "< 0.01 s"),
        (0.006, "0.01 s"),
        (0.04, "0.04 s"),
        (0.0996, "0.1 s"),
        (0.31, "0.3 s"),
        (5.0, "5 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (41.7, "42 s"),
        (59.7, "1 min"),
        (192.4, "3 min 12 s"),
        (300.0, "5 min"),
        (3599.7, "1 h"),
        (3840, "1 h 4 min"),
        (90_000, "25 h"),
    ],
)
def test_a_duration_is_read_at_a_glance(seconds: float, said: str) -> None:
    """Nothing is rounded to sixty of a unit."""
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (900, "900 B"),
        (8192, "8.2 kB"),
        (48_000_000_000, "48 GB"),
        (1_500_000, "1.5 MB"),
        (2e12, "2.0 TB"),
    ],
)
def test_a_size_has_a_decimal_unit(count: float, said: str) -> None:
    """As disks and bills have it."""
    assert size(count) == said


def test_one_of_several_is_named() -> None:
    """As a sentence has them."""
    names = ["a", "b", "c"]
    assert [either(names[:count]) for count in (1, 2, 3)] == ["a", "a or b", "a, b or c"]


def test_a_long_list_has_an_end() -> None:
    """The first ones and the number of the others."""
    ids = [f"{n:04}" for n in range(1, 22)]
    assert listed(ids[:2]) == "0001, 0002"
    assert listed(ids, "; ", most=3) == "0001; 0002; 0003 and 18 more"
    assert in_order(ids) == "0001, 0002, …, 0020, 0021, 21 in all"
    assert in_order(ids[:12]) == ", ".join(ids[:12])
    assert in_order([]) == "nothing"
    assert "0006 is not in it and 15 more" in str(
        LockFileStale("revisions.lock", [f"{each} is not in it" for each in ids])
    )


def test_a_near_name_is_suggested() -> None:
    """Only where one is near."""
    assert suggestion("jobs_priorty", ["jobs_priority", "files"]) == (
        "did you mean 'jobs_priority'?"
    )
    assert suggestion("lnt", ["lint"], "`surefoot {}`") == "did you mean `surefoot lint`?"
    assert suggestion("retry", ["run", "retry-failed"]) == "did you mean 'retry-failed'?"
    assert suggestion("ue", ["us", "eu"]) == "did you mean 'eu'?"
    assert suggestion("EU", ["eu"]) == "did you mean 'eu'?"
    assert suggestion("zzz", ["jobs_priority"]) == ""
    assert suggestion("", []) == ""


def _texts(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """The line of each value in an f-string or a template, its source, and the text behind it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for value, text in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                    yield node.lineno, ast.unparse(value.value), str(text.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            for found in re.finditer(r"\{([a-z_.]+)[^{}]*\}([^{]*)", node.value):
                yield node.lineno, found[1], found[2]


@pytest.mark.slow
def test_no_message_writes_a_number_by_itself() -> None:
    """`1 revisions`, `0.5 s` and `3 MB` come from this one module."""
    assert [
        f"{path}:{line}: {value}{text[:20]}"
        for path in SOURCES
        if path.stem != "wording"
        for line, value, text in _texts(ast.parse(path.read_text("utf-8")))
        if (_A_NUMBER.search(value) and _MANY.match(text)) or _UNITS.match(text)
    ] == []


def test_no_page_writes_a_number_by_itself() -> None:
    """As the messages."""
    numbers = re.compile(r"(?:length|total|rows|queue|sessions|attempts)\b[^|{}]*\}\}( [a-z ]*)")
    texts = (found[1] for page in PAGES for found in numbers.finditer(page.read_text("utf-8")))
    assert [text for text in texts if _MANY.match(text)] == []


def test_the_walk_finds_such_a_message() -> None:
    """Else the two above could not fail."""
    for source in ("f'{len(x)} revisions'", "f'{a.count} old rows'", "'{attempts} attempts'"):
        ((_, value, text),) = _texts(ast.parse(source))
        assert _A_NUMBER.search(value), source
        assert _MANY.match(text), source
    assert _UNITS.match(" MB")
    assert plural("revision") == "revisions"
