"""Catalogs as data: equality, differences, fingerprints, and views of older servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import surefoot
from surefoot.catalog.kinds import Column, Enum, Index, Routine, View
from surefoot.catalog.model import Catalog, Difference, Key, difference
from surefoot.catalog.normal_form import same_default, view_definition
from surefoot.catalog.statements import comment, create, drop

SOURCE = str(Path(surefoot.__file__).parents[1])
INDEX = Key("index", "ix")
DEFINED = Index(
    name="ix", table="t", definition="CREATE INDEX ix ON t USING btree (a)", unique=False,
    valid=True, comment=None,
)  # fmt: skip
COLUMN = Column(
    table="t", name="a", type="text", collation=None, not_null=False, default=None,
    generated=None, identity=None, comment=None,
)  # fmt: skip
VIEW = View(name="v", definition="SELECT 1", columns=None, options=None, comment=None)


def enum(*labels: str, name: str = "e", comment: str | None = None) -> Enum:
    return Enum(name=name, labels=labels, comment=comment)


def test_equal_catalogs_have_no_difference_and_one_fingerprint() -> None:
    """Whatever the order in which they were filled, and whatever the columns' order."""
    column = Key("column", "t.a")
    one = Catalog({INDEX: DEFINED, column: COLUMN}, {"t": ("a", "b")})
    other = Catalog({column: COLUMN, INDEX: DEFINED})
    assert one == other
    assert difference(one, other) == []
    assert one.fingerprint() == other.fingerprint()


@pytest.mark.slow
def test_a_fingerprint_does_not_depend_on_the_process() -> None:
    """Neither on its hash seed: it is compared years later on another machine."""
    program = (
        "from surefoot.catalog.model import Catalog, Key;"
        "from surefoot.catalog.kinds import Enum;"
        "print(Catalog({Key('enum', n): Enum(name=n, labels=('b', 'a'), comment=None)"
        " for n in {'x', 'y', 'z'}}).fingerprint())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": SOURCE},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert found == {"632b4d5f174e02f071864289b3d33beddcdffc3aadd0f033724decb9fcaf2c85/2\n"}


def test_each_difference_says_what_was_expected_and_found() -> None:
    """Missing, unexpected, changed."""
    expected = Catalog({INDEX: DEFINED, Key("enum", "e"): enum("a", "b")})
    found = Catalog({Key("enum", "e"): enum("a"), Key("view", "v"): VIEW})
    differences = difference(expected, found)
    assert differences == [
        Difference("enum", "e", "labels", ("a", "b"), ("a",)),
        Difference("index", "ix", None, DEFINED, None),
        Difference("view", "v", None, None, VIEW),
    ]
    assert [str(each) for each in differences] == [
        "changed labels of enum e: expected (a, b), found (a)",
        "missing index ix",
        "unexpected view v",
    ]


def test_users_are_found_through_others() -> None:
    """A view on a view on a column uses the column."""
    column, first, second = Key("column", "t.a"), Key("view", "v1"), Key("view", "v2")
    catalog = Catalog({}, uses={first: frozenset({column}), second: frozenset({first})})
    assert catalog.users_of(column) == {first, second}


@pytest.mark.parametrize(
    ("definition", "newer"),
    [
        (" SELECT a.id\n   FROM a;", "SELECT id\n   FROM a"),
        ("SELECT x.id FROM a x WHERE (x.id > 1)", "SELECT id FROM a x WHERE (id > 1)"),
        ("SELECT a.id, 'a.id'::text FROM a", "SELECT id, 'a.id'::text FROM a"),
        ('SELECT "A b".id FROM "A b"', 'SELECT id FROM "A b"'),
        ("SELECT a.id FROM a, b", "SELECT a.id FROM a, b"),
        ("SELECT a.id FROM a JOIN b ON b.id = a.id", "SELECT a.id FROM a JOIN b ON b.id = a.id"),
        (
            "SELECT a.id FROM a WHERE (EXISTS ( SELECT 1 FROM b WHERE b.id = a.id))",
            "SELECT id FROM a WHERE (EXISTS ( SELECT 1 FROM b WHERE b.id = a.id))",
        ),
        (
            "SELECT a.id FROM a UNION ALL SELECT b.id FROM b",
            "SELECT a.id FROM a UNION ALL SELECT b.id FROM b",
        ),
        ("SELECT s.c FROM ( SELECT a.c FROM a) s", "SELECT c FROM ( SELECT a.c FROM a) s"),
        ("SELECT public.f(a.id) FROM public.a", "SELECT public.f(id) FROM public.a"),
        ("SELECT 1", "SELECT 1"),
    ],
)
def test_a_view_of_an_older_server_reads_as_of_a_newer(definition: str, newer: str) -> None:
    """Until 15 a sole relation's name stands before its columns."""
    assert view_definition(definition, 150000) == newer
    assert view_definition(definition, 160000) == definition.strip().rstrip(";")


def test_statements_quote_what_has_to_be() -> None:
    """Names, labels and comments."""
    key = Key("enum", 'Odd "one')
    odd = enum("it's", "b", name='Odd "one', comment="don't")
    assert create(key, odd) == (
        """CREATE TYPE "Odd ""one" AS ENUM ('it''s', 'b')""",
        """COMMENT ON TYPE "Odd ""one" IS 'don''t'""",
    )
    assert drop(key, odd) == 'DROP TYPE "Odd ""one"'
    assert comment(key, enum(name="x")) == "COMMENT ON TYPE x IS NULL"


def test_a_function_is_named_by_its_types() -> None:
    """Also where its own name holds a parenthesis."""
    odd = Routine(
        name="odd(", arguments="a integer", definition="", returns=None, language="sql",
        comment=None,
    )  # fmt: skip
    assert drop(Key("function", "odd((integer)"), odd) == 'DROP FUNCTION "odd("(integer)'


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (None, None, True),
        ("now()", None, False),
        ("now()", "CURRENT_TIMESTAMP", True),
        ("timezone('utc'::text, now())", "timezone('utc'::text, CURRENT_TIMESTAMP)", True),
        ("'CURRENT_TIMESTAMP'::text", "'now()'::text", False),
        ("CURRENT_TIMESTAMP(3)", "now()", False),
        ("LOCALTIMESTAMP", "now()", False),
        ("clock_timestamp()", "now()", False),
        ('"CURRENT_TIMESTAMP"()', "now()()", False),
    ],
)
def test_two_texts_of_one_default(one: str | None, other: str | None, same: bool) -> None:
    assert same_default(one, other) == same
