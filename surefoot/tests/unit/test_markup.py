"""Texts of others in Markdown: a reader sees them, and none of them is markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from surefoot.markup import block, code, fold, prose, table

HOSTILE = [
    "a|b|c",
    "<script>alert(1)</script>",
    "</details></code></pre>",
    "`code` ``` ~~~",
    "**bold** _it_ ~~gone~~ [a](http://b) ![i](http://j)",
    "# heading",
    "- item",
    "12. item",
    "--- ===",
    "&lt;b&gt; &#60; \\| \\",
    "two\nlines\r\n\n# heading",
    "$x$ @octocat #12 <!-- hidden",
    "`",
    "|",
    " ",
    "``|``",
    "Vēgafs 表 „x“",
]


class Seen(HTMLParser):
    """The tags of a page, and the text in each of them."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[object] = []
        self.text = ""
        self.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append(f"comment {data}")


def spoken(text: str) -> str:
    """The words of a text; a carriage return is shown, as one could hide what is before it."""
    text = text.replace("\r", "\\x0d")
    return " ".join(text.split())


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("before", ["Says: ", ""])
def test_a_text_in_a_line_is_read_as_it_is(text: str, before: str) -> None:
    """Nothing of it becomes a tag, and nobody is mentioned."""
    seen = Seen(f"{before}{prose(text)}.")
    assert spoken(seen.text) == spoken(f"{before}{text}.")
    assert set(seen.tags) <= {"p", "code"}
    assert seen.tags.count("code") == len(re.findall(r"[@#]\w", text))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_cell_with_code_is_one_cell(text: str) -> None:
    """Also where the text has the sign that ends a cell, or the one that ends code."""
    seen = Seen(table(("name", "rows"), [(code(text), "1")], numbers=("rows",)))
    assert [each for each in seen.tags if each != "code"] == [
        *("table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td")
    ]
    assert spoken(seen.text) == spoken(f"name rows {text} 1")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_block_in_a_fold_ends_where_it_should(text: str) -> None:
    """The text that follows is outside of both."""
    seen = Seen(f"{fold('SQL', block(text, 'sql'))}\n\nAfter.")
    assert seen.tags == ["details", "summary", "pre", "code", "p"]
    assert spoken(seen.text) == spoken(f"SQL {text} After.")


def test_a_password_is_masked() -> None:
    """A comment is read by more people than a terminal."""
    given = "ALTER ROLE a PASSWORD 'abcdefgh'"
    assert "abcdefgh" not in prose(given) + code(given) + block(given)
