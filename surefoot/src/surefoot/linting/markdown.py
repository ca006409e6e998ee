"""Findings as Markdown, for the summary of a job or a comment."""

from collections.abc import Iterator, Sequence

from surefoot.markup import block, code, fold, prose
from surefoot.rules.findings import Finding
from surefoot.rules.repository import in_repository
from surefoot.wording import counted


def markdown(findings: Sequence[Finding]) -> str:
    """The findings, the safe form of each folded."""
    return "\n\n".join([f"### Lint: {summary(findings)}", *map(shown, findings)])


def summary(findings: Sequence[Finding]) -> str:
    """The number of findings of each level."""
    errors = sum(finding.level == "error" for finding in findings)
    return f"{counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')}"


def shown(finding: Finding) -> str:
    """One finding; the first line has its level, rule and place."""
    place = code(f"{in_repository(finding.path)}:{finding.line}")
    lines = [f"**{finding.level}** {code(finding.rule)} in {place}", prose(finding.consequence)]
    lines.append(f"Help: {prose(finding.help)}")
    if finding.traced:
        lines.append(f"Traced: {prose(finding.traced)}")
    # Two blanks begin a new line; an empty line would begin a paragraph.
    said = "  \n".join(lines)
    inner = [*_fold(finding)]
    return "\n\n".join([said, fold("Safe form", *inner)]) if inner else said


def _fold(finding: Finding) -> Iterator[str]:
    if finding.remedy:
        yield block(finding.remedy, "python")
    if finding.allow:
        yield f"Or allow it by a comment in the file: {code(finding.allow)}"
    if finding.url:
        yield f"[PostgreSQL's documentation]({finding.url})"
