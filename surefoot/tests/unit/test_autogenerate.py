"""How autogenerate decides and spells, without a database."""

from __future__ import annotations

import ast

import pytest

from surefoot.autogenerate.column_code import type_code
from surefoot.autogenerate.comparison import Comparison
from surefoot.autogenerate.conversions import gone_values, is_yours, using
from surefoot.autogenerate.phase import only_widens
from surefoot.autogenerate.rendering import sql
from surefoot.autogenerate.revision_text import RevisionTexts, body, imports
from surefoot.catalog import Catalog, Key
from surefoot.catalog.kinds import Domain
from surefoot.catalog.kinds import Enum as EnumType
from surefoot.catalog.order import in_order
from surefoot.catalog.widening import (
    depends_on_zone,
    is_widening,
    loses_digits,
    needs_no_rewrite,
)
from surefoot.operations.enums import renamed, value_steps


@pytest.mark.parametrize(
    ("old", "new", "pair"),
    [
        ("ABC", "AXC", ("B", "X")),
        ("A", "B", ("A", "B")),
        ("ABC", "ABC", None),
        ("ABC", "AXY", None),
        ("ABC", "ACB", None),
        ("ABC", "AB", None),
        ("AB", "ABC", None),
        ("ABC", "ACC", None),
    ],
)
def test_a_renaming_is_one_value_in_its_place(
    old: str, new: str, pair: tuple[str, str] | None
) -> None:
    """As many values as before, one place that differs, by a value that was not there."""
    assert renamed(tuple(old), tuple(new)) == pair


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [("AB", "ABC", False), ("AB", "CAB", False), ("AB", "BA", True), ("AB", "A", True),
     ("AB", "AC", False), ("ABC", "AXY", True), ("AB", "CBA", True)],
)  # fmt: skip
def test_values_that_go_or_move_need_a_new_type(old: str, new: str, expected: bool) -> None:
    """Values that come do not, and one that is renamed does not."""
    assert (value_steps("e", tuple(old), tuple(new)) is None) is expected


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("integer", "sa.Integer()"),
        ("timestamp with time zone", "sa.DateTime(timezone=True)"),
        ("numeric(10,2)[]", "postgresql.ARRAY(sa.Numeric(10, 2))"),
        ("tsvector", "postgresql.TSVECTOR()"),
        ("int4multirange", "postgresql.INT4MULTIRANGE()"),
        ("point", None),
    ],
)
def test_a_type_is_spelled_by_its_name(name: str, spelled: str | None) -> None:
    """Where SQLAlchemy has it; else the column is written as SQL."""
    assert type_code(name, None, Catalog({})) == spelled


def test_added_values_build_on_each_other() -> None:
    """Each stands after the one before it, which is there by then."""
    steps = value_steps("e", ("A", "B"), ("U", "V", "A", "W", "B", "X"))
    assert steps is not None
    assert [each.sql() for each in steps] == [
        "ALTER TYPE e ADD VALUE IF NOT EXISTS 'U' BEFORE 'A'",
        "ALTER TYPE e ADD VALUE IF NOT EXISTS 'V' AFTER 'U'",
        "ALTER TYPE e ADD VALUE IF NOT EXISTS 'W' AFTER 'A'",
        "ALTER TYPE e ADD VALUE IF NOT EXISTS 'X' AFTER 'B'",
    ]


@pytest.mark.parametrize(
    ("old", "new", "widens", "rewrites"),
    [
        ("integer", "bigint", True, True),
        ("bigint", "integer", False, True),
        ("character varying(10)", "character varying(20)", True, False),
        ("character varying(20)", "character varying(10)", False, True),
        ("character varying(20)", "character varying", True, False),
        ("character varying(20)", "text", True, False),
        ("text", "character varying(20)", False, True),
        ("numeric(10,2)", "numeric(12,2)", True, False),
        ("numeric(10,2)", "numeric(12,3)", False, True),
        ("timestamp without time zone", "timestamp with time zone", False, True),
        ("text", "job_status", False, True),
        ("text[]", "text[]", True, False),
    ],
)
def test_types_that_take_every_value_and_types_that_cost_no_rewrite(
    old: str, new: str, widens: bool, rewrites: bool
) -> None:
    """PostgreSQL rewrites for a bigint though nothing is lost."""
    assert is_widening(old, new) is widens
    assert needs_no_rewrite(old, new) is not rewrites


@pytest.mark.parametrize(
    ("kind", "bound", "cache", "widens"),
    [
        ("bigint", 2**63 - 1, 1, True),
        ("integer", 2**31 - 1, 1, True),
        ("bigint", 99, 1, False),
        ("smallint", 2**15 - 1, 1, False),
        ("bigint", 2**63 - 1, 5, False),
    ],
)
def test_a_sequence_that_only_gets_more_numbers(
    kind: str, bound: int, cache: int, widens: bool
) -> None:
    """The running release goes on with one of a wider type, whose bound is no lower."""
    text = "AS {} START WITH 1 INCREMENT BY 1 MINVALUE 1 MAXVALUE {} CACHE {}"
    before, after = text.format("integer", 100, 1), text.format(kind, bound, cache)
    assert only_widens(before, after) is widens


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("integer", "bigint", None),
        ("integer", "text", None),
        ("text", "integer", "c::integer"),
        ("boolean", "integer", "c::integer"),
        ("state", "mood", "c::text::mood"),
        ("text", "state", "c::state"),
        ("text[]", "integer[]", "c::integer[]"),
        ("state[]", "mood[]", "c::text[]::mood[]"),
        ("text[]", "jsonb", "to_jsonb(c)"),
        ("integer", "json", "to_json(c)"),
        ("text", "jsonb", "c::jsonb"),
        ("state[]", "integer", "c::text::integer"),
        ("numeric(10,2)", "numeric(12,3)", None),
    ],
)
def test_postgresql_is_told_how_where_it_asks(old: str, new: str, expected: str | None) -> None:
    """By assignment where it casts so, else by a cast, else by the text."""
    assert using(comparison_of_types(), "c", old, new) == expected


def comparison_of_types() -> Comparison:
    casts = {("integer", "bigint"): "i", ("boolean", "integer"): "e"}
    kinds = {
        Key("enum", name): EnumType(name=name, comment=None, labels=labels)
        for name, labels in (("state", ("a", "b")), ("mood", ("a",)))
    }
    code = Domain(
        name="code", comment=None, type="integer", collation=None, not_null=False, default=None,
        checks=None,
    )  # fmt: skip
    return Comparison(Catalog({**kinds, Key("domain", "code"): code}), Catalog({}), casts)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("integer", "interval", True),
        ("tsrange", "tstzrange", True),
        ("character varying(9)", "text[]", True),
        ("state", "integer", True),
        ("state[]", "integer", True),
        ("state[]", "jsonb", False),
        ("text[]", "integer[]", False),
        ("text", "integer", False),
        ("boolean", "integer", False),
        ("integer", "text", False),
        ("state", "mood", False),
        ("state[]", "mood[]", False),
        ("code", "bigint", False),
        ("numeric(10,2)", "numeric(12,3)", False),
    ],
)
def test_a_value_by_its_text_is_a_guess(old: str, new: str, expected: bool) -> None:
    """But for a text, which is read as the type, and for an enum, which has names."""
    assert is_yours(comparison_of_types(), old, new) is expected


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [("state", "mood", ["b"]), ("state[]", "mood[]", ["b"]), ("mood", "state", [])],
)
def test_values_that_another_enum_lacks_are_known(old: str, new: str, gone: list[str]) -> None:
    assert gone_values(comparison_of_types(), old, new) == gone


@pytest.mark.parametrize(
    ("old", "new", "depends"),
    [
        ("timestamp with time zone", "text", True),
        ("tstzrange", "text", True),
        ("tstzmultirange", "tsmultirange", True),
        ("tstzrange", "tstzmultirange", False),
        ("tsrange", "text", False),
    ],
)
def test_what_the_time_zone_of_a_session_decides(old: str, new: str, depends: bool) -> None:
    assert depends_on_zone(old, new) is depends


@pytest.mark.parametrize(
    ("old", "new", "loses"),
    [
        ("numeric(10,4)", "numeric(10,2)", True),
        ("numeric", "numeric(10,2)", True),
        ("numeric(10,2)", "numeric(8,2)", False),
        ("numeric(10,2)", "numeric", False),
        ("numeric(10,2)", "integer", True),
        ("numeric(10,0)", "integer", False),
        ("double precision", "integer", True),
        ("double precision[]", "real[]", True),
        ("real", "double precision", False),
        ("real", "numeric", True),
        ("double precision", "numeric(12,2)", True),
        ("timestamp with time zone", "timestamp(0) with time zone", True),
        ("timestamp(3) with time zone", "timestamp(6) with time zone", False),
        ("timestamp without time zone", "date", True),
        ("bigint", "integer", False),
        ("character varying(9)", "character varying(3)", False),
        ('"Odd"', "date", False),
    ],
)
def test_what_is_rounded_in_silence(old: str, new: str, loses: bool) -> None:
    """A number that is too large, and a text that is too long, are refused."""
    assert loses_digits(old, new) is loses


def test_objects_are_made_after_what_they_use() -> None:
    """By what is known to be used first, by kind and name where nothing is."""
    view, other = Key("view", "a"), Key("view", "b")
    key, reference = Key("constraint", "t.pk"), Key("constraint", "s.fk")
    function = Key("function", "z()")
    uses = {
        view: frozenset({other, Key("column", "t.x")}),
        reference: frozenset({key}),
        Key("column", "t.x"): frozenset({function}),
    }
    keys = [view, reference, other, key, function]
    assert in_order(keys, uses) == [key, reference, function, other, view]


def test_a_circle_of_objects_comes_to_an_end() -> None:
    """Each is named once."""
    one, two = Key("view", "a"), Key("view", "b")
    uses = {one: frozenset({two}), two: frozenset({one})}
    assert sorted(in_order([one, two], uses)) == [one, two]


def test_sql_over_lines_is_indented_where_that_means_nothing() -> None:
    """A function's text and a string over lines stay as they are."""
    assert sql("CREATE VIEW v AS\nSELECT 1").sqltext == (
        "\n        CREATE VIEW v AS\n        SELECT 1\n        "
    )
    function = "CREATE FUNCTION f() AS $$\nbegin\n$$"
    assert sql(function).sqltext == f"\n{function}\n"
    text = "SELECT 'a\nb'"
    assert sql(text).sqltext == f"\n{text}\n"


@pytest.mark.parametrize(
    ("statement", "escaped"),
    [
        ("SELECT ':a'", "SELECT '\\:a'"),
        ("SELECT a::text", "SELECT a::text"),
        ("x := y", "x := y"),
        ("'[[:alpha:]]'", "'[[:alpha:]]'"),
        ("'12:30'", "'12:30'"),
        (r"'a\:b'", r"'a\\:b'"),
        (r"'(?:a)'", r"'(?\:a)'"),
    ],
)
def test_a_colon_before_a_word_is_no_parameter(statement: str, escaped: str) -> None:
    """And where it could not be one it stays readable."""
    assert sql(statement).sqltext == escaped


@pytest.mark.parametrize(
    "value",
    [
        "\nCREATE VIEW v AS\nSELECT 'x'\n",
        "one\n  two  \nthree",
        'say """this"""\nand \\ that',
        "tab\there\nand more",
        "a\\nb\nc",
        'ends with a quote\n"',
        "a long line " * 12,
        "x" * 200,
        'it\'s "both" ' * 12,
    ],
)
def test_a_string_keeps_its_value_however_it_is_laid_out(value: str) -> None:
    """Over lines between triple quotes, in pieces, or as it was."""
    laid_out = body(f"op.execute({value!r})")
    call = ast.parse(laid_out).body[0]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    assert ast.literal_eval(call.value.args[0]) == value
    if " " in value:
        assert all(len(line) <= 100 for line in laid_out.splitlines())


def test_a_body_of_words_alone_still_runs() -> None:
    """Alembic leaves out `pass` where it sees a line."""
    assert body("# ### commands auto generated by Alembic - please adjust! ###\n    # nothing") == (
        "# nothing\n    pass"
    )
    assert body("pass") == "pass"


def test_only_what_is_used_is_imported() -> None:
    """In the order that the linter wants."""
    line = "from sqlalchemy.dialects import postgresql"
    assert imports(line, "op.f(sa.text('x'))", "pass") == [
        "import sqlalchemy as sa",
        "from alembic import op",
        line,
    ]
    assert imports("", "pass", "pass") == []


def test_bodies_yet_to_write_have_the_usual_imports() -> None:
    """A person writes operations there."""
    usual = ["import sqlalchemy as sa", "from alembic import op"]
    assert imports(None, None, None, by_hand=True) == usual
    assert imports("", "op.f('x')", "pass", by_hand=True) == usual[1:]


def test_the_title_is_one_sentence() -> None:
    """With a capital and a full stop, whatever was typed."""
    assert RevisionTexts.title("add  priority\n to jobs") == "Add priority to jobs."
    assert RevisionTexts.title("Why not?") == "Why not?"
    assert RevisionTexts.title('a \\ and """') == "A \\\\ and '''."


def test_ids_are_written_as_python_writes_them() -> None:
    """None, one, several."""
    assert RevisionTexts.literal(None) == "None"
    assert RevisionTexts.literal("0007") == '"0007"'
    assert RevisionTexts.literal(("a",)) == '("a",)'
    assert RevisionTexts.literal(["a", "b"]) == '("a", "b")'
