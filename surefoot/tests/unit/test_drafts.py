"""A draft of a backfill, and the file that is written of it."""

import ast
from dataclasses import replace

import pytest

from surefoot.autogenerate.backfills import Placed
from surefoot.autogenerate.drafts import Draft, exchanged, required
from surefoot.catalog.kinds import Column

SIZE = Column(
    name="size",
    comment=None,
    table="things",
    type="text",
    collation=None,
    not_null=False,
    default=None,
    generated=None,
    identity=None,
)
NEW = replace(SIZE, name="size_new", type="integer")


def assigned(draft: Draft) -> dict[str, object]:
    """The names of the class in the file, with their values."""
    module = ast.parse(Placed(draft, "things_size", "0007").code())
    (made,) = (node for node in module.body if isinstance(node, ast.ClassDef))
    found: dict[str, object] = {"class": made.name}
    for node in made.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = ast.literal_eval(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = ast.literal_eval(value)
    return found


def test_the_file_has_the_names_as_sql_and_python_write_them() -> None:
    """A quote, a backslash and a capital change nothing."""
    draft = required('Odd "t\\', "The size", "now()")
    assert assigned(draft) == {
        "class": "ThingsSize",
        "after": "0007",
        "table": '"Odd ""t\\"',
        "todo": '"The size" IS NULL',
        "sets": {"The size": "now()"},
    }


def test_a_value_that_nobody_knows_is_three_dots() -> None:
    """Of a required column without a default."""
    assert assigned(required("things", "size", None))["sets"] == {"size": ...}


@pytest.mark.parametrize("using", [None, "size::integer"])
def test_a_value_is_assigned_or_converted(using: str | None) -> None:
    """As ALTER COLUMN TYPE would; rows without one need none."""
    found = assigned(exchanged(SIZE, NEW, using, []))
    assert found["sets"] == {"size_new": using or "size"}
    assert found["todo"] == "size_new IS NULL AND size IS NOT NULL"


def test_rows_without_a_value_are_a_person_s_where_it_becomes_required() -> None:
    """The comment has the value of the others."""
    draft = exchanged(SIZE, replace(NEW, not_null=True), "size::integer", [])
    assert (draft.todo, draft.value) == ("size_new IS NULL", None)
    assert draft.hint[-1] == "size::integer"


@pytest.mark.parametrize(
    ("type_", "offered"),
    [
        ("state", "(CASE size::text WHEN 'it''s' THEN '…' ELSE size::text END)::state_new"),
        ("state[]", "array_replace(size::text[], 'it''s', '…')::state_new[]"),
    ],
)
def test_a_value_of_an_enum_that_goes_has_its_place_in_the_comment(
    type_: str, offered: str
) -> None:
    """Also in an array."""
    new = replace(NEW, type=type_.replace("state", "state_new"))
    draft = exchanged(replace(SIZE, type=type_), new, f"size::text::{new.type}", ["it's"])
    assert (draft.value, draft.hint[-1]) == (None, offered)


@pytest.mark.parametrize("types", [("date", "timestamp"), ("timestamp", "date")])
def test_a_value_by_the_time_zone_of_the_session_says_so(types: tuple[str, str]) -> None:
    """It is converted as ALTER COLUMN TYPE would; a person may know the zone of the values."""
    old, new = (each.replace("timestamp", "timestamp(3) with time zone") for each in types)
    draft = exchanged(replace(SIZE, type=old), replace(NEW, type=new), None, [])
    said = "The time zone of the session decides; AT TIME ZONE names another one."
    assert draft.hint[0] == said
    assert assigned(draft)["sets"] == {"size_new": "size"}
    same = exchanged(replace(SIZE, type=new), replace(NEW, type=new), None, [])
    assert same.hint == ()


def test_a_guess_is_a_person_s_to_write() -> None:
    """The comment has the guess, which PostgreSQL would take without a word."""
    new = replace(NEW, type="interval")
    draft = exchanged(SIZE, new, "size::text::interval", [], is_yours=True)
    assert (draft.value, draft.hint[-1]) == (None, "size::text::interval")
    assert "PostgreSQL has no cast from" in " ".join(draft.hint)


def test_a_value_that_is_rounded_says_so() -> None:
    """It is written as it is: a person may want that."""
    old, new = replace(SIZE, type="numeric(10,4)"), replace(NEW, type="numeric(10,2)")
    draft = exchanged(old, new, None, [])
    assert draft.value == "size"
    (said,) = draft.hint
    assert said.startswith("PostgreSQL rounds or cuts off what numeric(10,2) does not hold")
