"""Formats of findings for tools that show them in a pull request."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import metadata, version
from typing import Any
from urllib.parse import quote

from surefoot.linting.markdown import markdown
from surefoot.rules.findings import Finding, generic
from surefoot.rules.registry import RULES
from surefoot.rules.repository import in_repository

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
# Of rules without a page of PostgreSQL's: they are about the file, whose form is Alembic's.
_ALEMBIC = "https://alembic.sqlalchemy.org/en/latest/tutorial.html"
# The labels of such an address, the best first.
_HOMES = ("documentation", "homepage", "repository")


def github(findings: Sequence[Finding]) -> str:
    """Workflow commands of GitHub Actions, which annotate the line."""
    lines = []
    for finding in findings:
        place = f"file={_escaped(in_repository(finding.path), ':,')},line={finding.line}"
        place += f",endLine={finding.end_line}"
        title = _escaped(finding.rule, ":,")
        text = _escaped(_message(finding))
        lines.append(f"::{finding.level} {place},title={title}::{text}")
    return "\n".join(lines)


def gitlab(findings: Sequence[Finding]) -> str:
    """A code quality report of GitLab."""
    severities = {"error": "critical", "warning": "minor"}
    return _json(
        [
            {
                "description": _message(finding),
                "check_name": finding.rule,
                "fingerprint": _fingerprint(finding),
                "severity": severities[finding.level],
                "location": {
                    "path": in_repository(finding.path),
                    "lines": {"begin": finding.line, "end": finding.end_line},
                },
            }
            for finding in findings
        ]
    )


def sarif(findings: Sequence[Finding]) -> str:
    """SARIF 2.1.0."""
    rules = sorted({finding.rule for finding in findings})
    return _json(
        {
            "$schema": SARIF_SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "surefoot",
                            "version": version("surefoot"),
                            **home(metadata("surefoot").get_all("Project-URL") or ()),
                            "rules": [_rule(each) for each in rules],
                        }
                    },
                    "results": [
                        {
                            "ruleId": finding.rule,
                            "ruleIndex": rules.index(finding.rule),
                            "level": finding.level,
                            "message": {"text": _message(finding)},
                            "partialFingerprints": {"surefoot/v1": _fingerprint(finding)},
                            "locations": [
                                {
                                    "physicalLocation": {
                                        "artifactLocation": {
                                            "uri": quote(in_repository(finding.path)),
                                            "uriBaseId": "%SRCROOT%",
                                        },
                                        "region": {
                                            "startLine": finding.line,
                                            "endLine": finding.end_line,
                                        },
                                    }
                                }
                            ],
                        }
                        for finding in findings
                    ],
                }
            ],
        }
    )


FORMATS: Mapping[str, Callable[[Sequence[Finding]], str]] = {
    "github": github,
    "gitlab": gitlab,
    "markdown": markdown,
    "sarif": sarif,
}


def home(urls: Iterable[str]) -> Mapping[str, str]:
    """The address of the tool, where its package names one."""
    found = {name.lower(): url for name, _, url in (each.partition(", ") for each in urls)}
    named = next((each for each in _HOMES if each in found), None)
    return {"informationUri": found[named]} if named else {}


def _rule(identifier: str) -> Mapping[str, Any]:
    rule = RULES.get(identifier)
    if rule is None:
        return {"id": identifier, "helpUri": _ALEMBIC}
    return {
        "id": identifier,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{generic(rule.consequence)}. Help: {generic(rule.help)}."},
        "help": {"text": rule.safe_form()},
        "helpUri": rule.url or _ALEMBIC,
        "defaultConfiguration": {"level": rule.level},
    }


def _message(finding: Finding) -> str:
    said = f"{finding.consequence}. Help: {finding.help}"
    said += f". Traced: {finding.traced}" if finding.traced else ""
    return f"{said}\n\n{finding.remedy}" if finding.remedy else said


def _fingerprint(finding: Finding) -> str:
    """An identifier of the finding that does not depend on its line."""
    what = f"{finding.path.name}:{finding.rule}:{finding.consequence}"
    return hashlib.sha256(what.encode()).hexdigest()[:32]


def _escaped(text: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
