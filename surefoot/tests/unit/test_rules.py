"""The records of the rules, and the page that is made of them."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from harness.rules_page import INDEX, PAGES, pages
from surefoot.chain.revisions import RULES_VERSION
from surefoot.rules.findings import Level, Rule
from surefoot.rules.registry import CHAPTERS, RULES
from surefoot.rules.safe_form import filled
from surefoot.trace.effects import Effect
from surefoot.trace.statement import Statement

_NAMED = re.compile(r"(?:avoid|require)-[a-z-]+")
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)


def test_the_pages_are_current() -> None:
    """docs/rules has the records, and no page of a chapter that is no more."""
    written = pages(INDEX.read_text("utf-8"))
    stale = [path.name for path, text in written.items() if path.read_text("utf-8") != text]
    assert stale == [], "run python tests/harness/rules_page.py"
    by_hand = {"changes-without-a-rule.md", "squawk.md"}
    assert {path.name for path in PAGES.iterdir()} == {path.name for path in written} | by_hand


def test_the_page_decides_on_each_rule_of_squawk() -> None:
    """It knows their names, and those that are relayed are."""
    found: dict[str, str] = {}
    for row in (PAGES / "squawk.md").read_text("utf-8").splitlines():
        if match := re.fullmatch(r"\| ([a-z, -]+) \| ((?:measured|relayed|refuted).*) \|", row):
            found |= dict.fromkeys(match[1].split(", "), match[2])
    assert len(found) == 76
    named = {each for said in found.values() for each in _NAMED.findall(said)}
    assert named <= {*RULES}
    relayed = [said for said in found.values() if said.startswith("relayed")]
    assert {each for said in relayed for each in _NAMED.findall(said)} == {
        rule.id for rule in RULES.values() if rule.seen == "squawk"
    }
    asked = [f"--include={name}" for name in found]
    told = subprocess.run(
        [
            str(Path(sys.executable).with_name("squawk")),
            *asked,
            "--reporter=json",
            "--stdin-filepath=r.sql",
        ],
        input="SELECT 1;\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "invalid rule name" not in told.stderr


def test_no_two_rules_have_one_id() -> None:
    """A suppression names one rule."""
    assert len(RULES) == sum(len(rules) for rules in CHAPTERS.values())


def test_a_change_of_the_rules_changes_their_version() -> None:
    """A clean verdict of other rules says nothing: raise RULES_VERSION with this digest."""
    # No verdict is about a backfill.
    of_revisions = [rule for rule in RULES.values() if rule.seen != "tried"]
    records = sorted((r.id, r.level, r.since, r.until, r.seen) for r in of_revisions)
    digest = hashlib.sha256(repr(records).encode()).hexdigest()[:12]
    assert (RULES_VERSION, digest) == ("8", "42cf81f62d2c")


@pytest.mark.parametrize(("rows", "emptied"), [(0, set()), (3, {"jobs"})])
def test_a_rewrite_that_leaves_out_deleted_rows_is_no_truncate(
    rows: int, emptied: set[str]
) -> None:
    """The table has pages before and none after, as after TRUNCATE in a function."""
    at = {"jobs": rows}
    effect = Effect("rewritten", "jobs", facts={"kind": "r", "bytes": (8192, 0)})
    statement = Statement("0001", 1, 1, "SELECT f()", True, effects=(effect,), rows=at)
    assert statement.emptied == emptied


@each_rule
def test_a_rule_is_named_by_what_it_wants(rule: Rule) -> None:
    """As suppressions are read."""
    assert re.fullmatch(r"(?:avoid|require)(?:-[a-z]+)+", rule.id)
    assert rule.level in get_args(Level)


@each_rule
def test_the_safe_form_is_python(rule: Rule) -> None:
    """It can be copied into a revision, also where the names are not known."""
    ast.parse(rule.safe_form())


@each_rule
def test_a_rule_names_the_page_of_postgresql(rule: Rule) -> None:
    """Those on the file have none."""
    assert re.fullmatch(r"[a-z-]+", rule.page) or (rule.seen == "read" and not rule.page)


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        (
            'op.drop_column("{table}", "{column}"{schema})',
            {"table": "archive.jobs", "column": "rank"},
            'op.drop_column("jobs", "rank", schema="archive")',
        ),
        ('op.drop_column("{table}", "{column}"{schema})', {}, 'op.drop_column("table", "column")'),
        (
            'op.execute("ALTER TABLE {table:sql}")',
            {"table": "a.b"},
            'op.execute("ALTER TABLE a.b")',
        ),
        ('op.execute("… {name:sql}")', {"name": "Jobs"}, r'op.execute("… \"Jobs\"")'),
        ("[{columns}]", {"columns": ("a", 'b"')}, r'["a", "b\""]'),
        ('{"a": {}}', {"a": 1}, '{"a": {}}'),
    ],
)
def test_a_safe_form_has_the_names_of_a_finding(
    template: str, values: dict[str, Any], expected: str
) -> None:
    """As Python and as SQL write them; a name that is not known stands for itself."""
    assert filled(template, values) == expected


@each_rule
def test_the_texts_of_a_rule_are_parts_of_sentences(rule: Rule) -> None:
    """A finding and the page put them together."""
    for text in (rule.consequence, rule.help):
        assert text == text.strip()
        assert not text.endswith(".")
        assert "  " not in text
    assert rule.title[0].isupper()


def test_a_rule_holds_from_its_first_major_to_its_last() -> None:
    """No bound is every major."""
    rule = next(iter(RULES.values()))
    assert rule.holds(14)
    bounded = Rule("avoid-x", "X", "x", "x", "", lambda _: iter(()), since=15, until=17)
    assert [major for major in range(14, 20) if bounded.holds(major)] == [15, 16, 17]
