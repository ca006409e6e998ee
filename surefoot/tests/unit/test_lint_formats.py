"""Findings in the formats of tools that show them in a pull request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surefoot.linting.formats import github, gitlab, sarif
from surefoot.rules.findings import Finding


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
