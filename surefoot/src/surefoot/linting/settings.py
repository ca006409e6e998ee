"""LintSettings are `[tool.surefoot.lint]` of the pyproject.toml beside the ini file.

    fail-on = "error"              error (the default), warning or never
    small-tables = ["countries"]   work on these tables alone is a warning
    paths = ["alembic/versions"]   the files and folders that are linted where none are named

    [tool.surefoot.lint.levels]
    avoid-length-limit = "off"     error, warning or off

They decide what lint reports. The verdicts in revisions.lock keep the levels of the rules: there
`# allow` in the file overrides a rule, with a reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import NoReturn, cast

from surefoot.errors import UsageError
from surefoot.errors.names import command
from surefoot.frozen import dataclass
from surefoot.project import read_tool
from surefoot.rules.findings import Finding, Level
from surefoot.rules.gaps import UNSEEN
from surefoot.rules.registry import RULES
from surefoot.wording import suggestion

LEVELS = ("error", "warning", "off")
FAIL_ON = ("error", "warning", "never")
_KEYS = ("fail-on", "small-tables", "paths", "levels")


@dataclass(frozen=True)
class LintSettings:
    """The levels of a project, the tables that it knows to be small, the files that it lints."""

    levels: Mapping[str, str] = field(default_factory=dict)
    fail_on: str = "error"
    small_tables: frozenset[str] = frozenset()
    paths: tuple[Path, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> LintSettings:
        """Those of the folder's pyproject.toml; the defaults where it has none.

        On failure: UsageError names the key, the rule or the value that there is not.
        """
        file = folder / "pyproject.toml"
        if not file.exists():
            return cls()
        try:
            given = read_tool(file, "surefoot").get("lint", {})
        except (OSError, ValueError, AttributeError) as error:
            _refuse(f"it cannot be read: {error}")
        if not isinstance(given, dict):
            _refuse("it is not a table")
        for key in given:
            _known("key", key, _KEYS)
        levels = given.get("levels", {})
        check_levels(levels)
        _known("fail-on", given.get("fail-on", "error"), FAIL_ON)
        small, paths = (_texts(key, given.get(key, [])) for key in ("small-tables", "paths"))
        for path in paths:
            if not (folder / path).exists():
                _refuse(f"paths names {path}, which does not exist")
        found = tuple((folder / path).resolve() for path in paths)
        return cls(levels, given.get("fail-on", "error"), frozenset(small), found)

    def includes(self, path: Path | None) -> bool:
        """Whether a file is linted where none is named."""
        file = (path or Path()).resolve()
        return not self.paths or any(each in (file, *file.parents) for each in self.paths)

    def applied(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings at the levels of the project, without those of rules that are off."""
        given = ((each, self._level(each)) for each in findings)
        return tuple(replace(e, level=cast("Level", to)) for e, to in given if to != "off")

    def fails(self, findings: Iterable[Finding]) -> bool:
        """Whether the findings are a reason for exit code 1."""
        counting = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[self.fail_on]
        return any(each.level in counting for each in findings)

    def _level(self, finding: Finding) -> str:
        level = self.levels.get(finding.rule, finding.level)
        is_small = bool(finding.tables) and self.small_tables.issuperset(finding.tables)
        return "warning" if is_small and level == "error" else level


def check_levels(levels: object) -> None:
    """On failure: UsageError for a rule or a level that there is not."""
    if not isinstance(levels, dict):
        _refuse("levels is not a table of rules")
    for rule, level in levels.items():
        _known("rule", rule, RULES)
        _known(f"level of {rule}", level, LEVELS)
        if rule in UNSEEN and level != "error":
            _refuse(f"{rule} stays an error: nobody has seen all of such a revision")


def _known(noun: str, given: object, known: Collection[str]) -> None:
    if given not in known:
        near = suggestion(str(given), known)
        _refuse(f"there is no {noun} {given!r}{near and f'; {near}'}")


def _texts(key: str, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        _refuse(f"{key} is not a list of strings")
    return tuple(given)


def _refuse(reason: str) -> NoReturn:
    raise UsageError(
        f"[tool.surefoot.lint] in pyproject.toml, or its option: {reason}",
        help=f"keys: {', '.join(_KEYS)}; rules: `{command()} explain`",
    )
