"""Checks by a list of values, and types with another modifier."""

import pytest

from surefoot.catalog.widening import adds_values, needs_no_rewrite

TEXT = "CHECK ((kind = ANY (ARRAY[{}])))"
VARCHAR = "CHECK (((kind)::text = ANY (ARRAY[{}])))"


@pytest.mark.parametrize("form", [TEXT, VARCHAR])
@pytest.mark.parametrize(
    ("few", "more"),
    [
        ("'a'::text", "'b'::text, 'a'::text"),
        ("'a, b'::text", "'a, b'::text, ']'::text"),
        ("'it''s'::text", "'it''s'::text, ''::text"),
        ("('a'::character varying)::text", "('a'::character varying)::text, 'b'::text"),
        ("1, '-2'::integer", "'-2'::integer, 1, 3"),
    ],
)
def test_one_that_lists_more_values_takes_them_all(form: str, few: str, more: str) -> None:
    """And the other way round it does not."""
    assert adds_values(form.format(few), form.format(more))
    assert not adds_values(form.format(more), form.format(few))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CHECK ((kind = ANY (ARRAY['a'::text])))", "CHECK ((rank = ANY (ARRAY['a'::text, 'b'])))"),
        ("CHECK ((kind <> ALL (ARRAY['a'])))", "CHECK ((kind <> ALL (ARRAY['a', 'b'])))"),
        ("CHECK ((NOT (kind = ANY (ARRAY['a']))))", "CHECK ((NOT (kind = ANY (ARRAY['a', 'b']))))"),
        (
            "CHECK (((kind = ANY (ARRAY['a'])) IS FALSE))",
            "CHECK (((kind = ANY (ARRAY['a', 'b'])) IS FALSE))",
        ),
        (
            "CHECK (((kind = ANY (ARRAY['a'])) AND (n > 1)))",
            "CHECK (((kind = ANY (ARRAY['a', 'b'])) AND (n > 2)))",
        ),
        ("CHECK ((n > 5))", "CHECK ((n > 3))"),
        (
            "CHECK (((kind)::text = ANY (ARRAY['a'::text])))",
            "CHECK (((kind)::citext = ANY (ARRAY['a'::text, 'b'::text])))",
        ),
    ],
)
def test_of_any_other_check_it_is_not_known(old: str, new: str) -> None:
    """A list that grows may also refuse more."""
    assert not adds_values(old, new)


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("character varying(3)", "character varying(4)", True),
        ("bit varying(3)", "bit varying(4)", True),
        ("numeric(5,2)", "numeric(7,2)", True),
        ("timestamp(3) with time zone", "timestamp(6) with time zone", True),
        ("vector(3)", "vector", True),
        ("vector(3)", "vector(4)", False),
        ("bit(3)", "bit(4)", False),
        ("numeric(5,2)", "numeric(7,3)", False),
    ],
)
def test_a_greater_modifier_keeps_the_values_of_types_that_are_known(
    old: str, new: str, kept: bool
) -> None:
    """That of another type may be the number of dimensions, which each value has to have."""
    assert needs_no_rewrite(old, new) is kept
