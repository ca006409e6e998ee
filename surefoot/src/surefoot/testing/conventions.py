"""Conventions for revision files, checked without running them: names, imports, docstrings."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from surefoot.chain.revisions import Revision
from surefoot.errors import RevisionImports, RevisionMisnamed
from surefoot.rules.findings import TracedRevision, examine
from surefoot.rules.registry import RULES
from surefoot.rules.suppressions import suppressions

# The version_num of Alembic's version table is VARCHAR(32).
LONGEST_ID = 32
_SLUG = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
_IMPORTS = RULES["avoid-importing-the-application"]


def path_of(revision: Revision) -> Path:
    """The file of the revision."""
    if revision.path is None:
        raise ValueError(f"{revision.id} was not read from a file")
    return revision.path


def check_name(revision: Revision) -> None:
    """On failure: RevisionMisnamed where the file name, id or docstring does not follow the rules.

    Numbers ascend, so that a listing of the folder reads as history.
    """
    path = path_of(revision)
    if len(revision.id) > LONGEST_ID:
        raise RevisionMisnamed(
            path.name,
            f"has an id of {len(revision.id)} characters; the version table keeps {LONGEST_ID}",
            help="shorten the id, and the down_revision of its successor",
        )
    if path.name != revision.file_name or not _SLUG.fullmatch(revision.slug):
        slug = "_".join(re.findall(r"[a-z0-9]+", revision.slug.lower())) or "what_it_does"
        raise RevisionMisnamed(
            path.name,
            f"is not named by its id, {revision.id!r}, and a slug in lower case",
            help=f"rename it to {revision.id}_{slug}.py, then `vegafs lock`",
        )
    late = [d for d in revision.down if d.isdecimal() and revision.id.isdecimal()]
    if any(int(down) >= int(revision.id) for down in late):
        raise RevisionMisnamed(
            path.name,
            f"builds on {', '.join(late)}, but its number is not higher",
            help="give it the next number, then `vegafs lock`",
        )
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    if not docstring.strip():
        raise RevisionMisnamed(
            path.name,
            "has no docstring for `alembic history` to show",
            help="describe the change in the first line of a docstring",
        )


def check_imports(revision: Revision) -> None:
    """On failure: RevisionImports, with each line that imports code of the application."""
    path = path_of(revision)
    source = path.read_text("utf-8")
    if any(allowed.rule == _IMPORTS.id for allowed in suppressions(source)):
        return
    unit = TracedRevision(revision.id, path, revision.phase, source=source)
    found = examine(unit, [_IMPORTS], major=0)
    if found:
        raise RevisionImports(
            [f"{path.name}:{finding.line}: {finding.consequence}" for finding in found],
            help=_IMPORTS.help,
        )


def declared_losses(revision: Revision) -> frozenset[str]:
    """The tables and columns under `Loses:` in the docstring."""
    docstring = ast.get_docstring(ast.parse(path_of(revision).read_text("utf-8"))) or ""
    found = re.search(r"^Loses: (.*?)(?=^\w+: |^\s*$|\Z)", docstring, re.DOTALL | re.MULTILINE)
    return frozenset(re.findall(r"\w+(?:\.\w+)*", found[1])) if found else frozenset()
