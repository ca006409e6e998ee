"""Checks by a list of values."""

import pytest

from surefoot.catalog.widening import adds_values

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
