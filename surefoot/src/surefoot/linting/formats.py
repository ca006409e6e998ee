"""Formats of findings for tools that show them in a pull request."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from surefoot.rules.findings import Finding
from surefoot.rules.registry import RULES

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github(findings: Sequence[Finding]) -> str:
    """Workflow commands of GitHub Actions, which annotate the line."""
    lines = []
    for finding in findings:
        place = f"file={_escaped(_path(finding), ':,')},line={finding.line}"
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
                "location": {"path": _path(finding), "lines": {"begin": finding.line}},
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
                    "tool": {"driver": {"name": "surefoot", "rules": [_rule(r) for r in rules]}},
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
                                        "artifactLocation": {"uri": _path(finding)},
                                        "region": {"startLine": finding.line},
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
    "sarif": sarif,
}


def _rule(identifier: str) -> Mapping[str, Any]:
    rule = RULES.get(identifier)
    if rule is None:
        return {"id": identifier}
    return {
        "id": identifier,
        "shortDescription": {"text": rule.title},
        "help": {"text": rule.safe_form()},
        "defaultConfiguration": {"level": rule.level},
    }


def _message(finding: Finding) -> str:
    said = f"{finding.consequence}. Help: {finding.help}"
    return f"{said}. Traced: {finding.traced}" if finding.traced else said


def _path(finding: Finding) -> str:
    return os.path.relpath(finding.path).replace(os.sep, "/")


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
