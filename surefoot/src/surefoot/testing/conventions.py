"""Conventions for revision files, checked without running them: names, imports, docstrings."""

import ast
import re
from pathlib import Path

from surefoot.chain.coding import parsed, text_of
from surefoot.chain.numbering import is_number
from surefoot.chain.revisions import Revision
from surefoot.errors import RevisionImports, RevisionMisnamed, names
from surefoot.rules.findings import TracedRevision, examine
from surefoot.rules.registry import RULES
from surefoot.rules.suppressions import suppressions
from surefoot.wording import counted

# The version_num of Alembic's version table is VARCHAR(32).
LONGEST_ID = 32
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
    name, lock = path_of(revision).name, f"then `{names.command()} lock`"
    numbers = [down for down in revision.down if is_number(down) and is_number(revision.id)]
    for is_broken, reason, advice in (
        (
            len(revision.id) > LONGEST_ID,
            f"has an id of {counted(len(revision.id), 'character')}; the version table holds "
            f"{LONGEST_ID}",
            "shorten the id, and the down_revision of its successor",
        ),
        (
            revision.slug == revision.id,
            f"is named by its id, {revision.id!r}, alone",
            f"rename it to {revision.id}_what_it_does.py, {lock}",
        ),
        (
            any(int(down) >= int(revision.id) for down in numbers),
            f"builds on {', '.join(numbers)}, but its number is not higher",
            f"give it the next number, {lock}",
        ),
        (
            not _docstring(revision).strip(),
            "has no docstring for `alembic history` to show",
            "describe the change in the first line of a docstring",
        ),
    ):
        if is_broken:
            raise RevisionMisnamed(name, reason, help=advice)


def check_imports(revision: Revision) -> None:
    """On failure: RevisionImports, with each line that imports code of the application."""
    path = path_of(revision)
    source = text_of(path)
    unit = TracedRevision(revision.id, path, revision.phase, source=source)
    allowed = suppressions(source)
    if found := [
        each
        for each in examine(unit, [_IMPORTS], major=0)
        if not any(one.covers(each.rule, each.line) for one in allowed)
    ]:
        places = [f"{path.name}:{finding.line}: {finding.consequence}" for finding in found]
        raise RevisionImports(places, help=_IMPORTS.help)


def declared_losses(revision: Revision) -> frozenset[str]:
    """The tables and columns under `Loses:` in the docstring."""
    flags = re.DOTALL | re.MULTILINE
    found = re.search(r"^Loses: (.*?)(?=^\w+: |^\s*$|\Z)", _docstring(revision), flags)
    return frozenset(re.findall(r"\w+(?:\.\w+)*", found[1])) if found else frozenset()


def _docstring(revision: Revision) -> str:
    return ast.get_docstring(parsed(path_of(revision).read_bytes())) or ""
