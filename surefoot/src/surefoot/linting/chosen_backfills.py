"""The backfills that are linted with revisions."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from surefoot.backfill.definition import Backfill
from surefoot.backfill.files import read_backfill
from surefoot.chain.backfills import backfill_paths
from surefoot.chain.revisions import Revision
from surefoot.errors import BackfillInvalid, BackfillUnwritten
from surefoot.project import Project


def of_revisions(
    project: Project,
    chain: Sequence[Revision],
    revisions: Collection[str],
    changed: Collection[Path] = (),
) -> Sequence[str]:
    """The backfills that one of the revisions of the chain requires, or that run after it.

    Those whose files were changed as well. The others may be no backfills at all.
    """
    chosen = (each for each in chain if each.id in revisions)
    required = {name for revision in chosen for name in revision.requires_backfill}

    def is_chosen(path: Path) -> bool:
        if path.stem in required or path.resolve() in changed:
            return True
        with suppress(BackfillInvalid, BackfillUnwritten):
            return read_backfill(path).after in revisions
        return False

    return [path.stem for path in backfill_paths(project.lock) if is_chosen(path)]


def refuse_unknown(chain: Sequence[Revision], backfills: Sequence[Backfill]) -> None:
    """On failure: BackfillInvalid, where the project lacks the revision that one needs."""
    known = {revision.id for revision in chain}
    for each in backfills:
        if each.after not in known:
            reason = f"the project has no revision {each.after} (`after`)"
            raise BackfillInvalid(f"{each.name}.py", reason)
