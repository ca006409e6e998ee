"""Findings in the formats of tools that show them in a pull request."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft4Validator

from surefoot.linting.formats import github, gitlab, home, sarif
from surefoot.linting.markdown import markdown
from surefoot.rules.findings import Finding
from surefoot.rules.registry import RULES

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "sarif-2.1.0.json").read_text("utf-8"))
HOSTILE = "100% of a|b,\r\n::error::x <b>`c`</b> é"


@pytest.fixture
def finding(tmp_path: Path) -> Finding:
    (tmp_path / ".git").mkdir()
    path = tmp_path / "versions" / "0009 change.py"
    remedy = "op.a()\nop.b()"
    return Finding(
        "avoid-truncate", "error", "0009", path, 4, "c", "h", "ROW", end_line=6, remedy=remedy
    )


def test_github_annotates_all_lines_of_the_statement(finding: Finding) -> None:
    """The text is one line of the log."""
    assert github([finding]) == (
        "::error file=versions/0009 change.py,line=4,endLine=6,title=avoid-truncate"
        "::c. Help: h. Traced: ROW%0A%0Aop.a()%0Aop.b()"
    )


def test_github_reads_nothing_of_a_text_as_a_command(finding: Finding) -> None:
    """Percent signs, ends of lines and, in a file or title, colons and commas are escaped."""
    path = finding.path.with_name("0009,a::b%.py")
    line = github([replace(finding, path=path, level="warning", consequence=HOSTILE)])
    assert "\n" not in line
    assert line.startswith(
        "::warning file=versions/0009%2Ca%3A%3Ab%25.py,line=4,endLine=6,title=avoid-truncate::"
        "100%25 of a|b,%0D%0A::error::x <b>`c`</b> é. Help: h."
    )


def test_gitlab_gets_the_lines_of_the_statement(finding: Finding) -> None:
    """Path and lines; the fingerprint does not depend on them."""
    (found,) = json.loads(gitlab([finding]))
    assert found["location"] == {
        "path": "versions/0009 change.py",
        "lines": {"begin": 4, "end": 6},
    }


def test_sarif_describes_the_rule_and_where_to_read_more(finding: Finding) -> None:
    """One run of one tool, with its version."""
    (run,) = json.loads(sarif([finding]))["runs"]
    driver = run["tool"]["driver"]
    assert driver["version"]
    (rule,) = driver["rules"]
    assert rule["helpUri"] == "https://www.postgresql.org/docs/current/sql-truncate.html"
    assert rule["fullDescription"]["text"].startswith("TRUNCATE takes ACCESS EXCLUSIVE on <table>;")
    (result,) = run["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "versions/0009%20change.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 4, "endLine": 6},
    }


def test_sarif_is_valid_for_every_rule(finding: Finding) -> None:
    """By the schema of SARIF 2.1.0; each rule has a page to read."""
    found = [replace(finding, rule=each.id, level=each.level) for each in RULES.values()]
    found += [
        replace(finding, consequence=HOSTILE, path=finding.path.with_name("0009 <é>#?.py")),
        # revisions.lock is stale, which is no rule.
        replace(finding, rule="lock-file-stale", revision=""),
    ]
    for findings in (found, []):
        document = json.loads(sarif(findings))
        assert [each.message for each in Draft4Validator(SCHEMA).iter_errors(document)] == []
    (run,) = json.loads(sarif(found))["runs"]
    rules = {each["id"]: each for each in run["tool"]["driver"]["rules"]}
    assert set(rules) == {*RULES, "lock-file-stale"}
    assert all(urlsplit(each["helpUri"]).scheme == "https" for each in rules.values())
    for result in run["results"]:
        assert rules[result["ruleId"]] is run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert result["level"] in ("error", "warning")


def test_a_document_that_is_no_sarif_is_found(finding: Finding) -> None:
    """Else the test before would prove nothing."""
    document = json.loads(sarif([finding]))
    document["runs"][0]["results"][0]["level"] = "fatal"
    assert [*Draft4Validator(SCHEMA).iter_errors(document)]


def test_the_address_of_the_tool_is_that_of_its_package() -> None:
    """The documents go before the home page; without an address none is made up."""
    urls = ["Homepage, https://a.example", "Documentation, https://a.example/docs"]
    assert home(urls) == {"informationUri": "https://a.example/docs"}
    assert home(urls[:1]) == {"informationUri": "https://a.example"}
    assert home(["Funding, https://b.example"]) == {}


def test_markdown_folds_the_safe_form(finding: Finding) -> None:
    """Level, rule and place in the first line; what the file says is text."""
    told = replace(finding, consequence="scans <b>|@all", url="https://a.example")
    assert markdown([told]) == (
        "### Lint: 1 error, 0 warnings\n\n"
        "**error** `avoid-truncate` in `versions/0009 change.py:4`  \n"
        "scans &#60;b&#62;&#124;<code>@</code>all  \n"
        "Help: h  \n"
        "Traced: ROW\n\n"
        "<details>\n<summary>Safe form</summary>\n\n"
        "```python\nop.a()\nop.b()\n```\n\n"
        "Or allow it by a comment in the file: `# allow avoid-truncate: <the reason>`\n\n"
        "[PostgreSQL's documentation](https://a.example)\n\n"
        "</details>"
    )
