"""`surefoot rebase`: put the revisions of this branch behind those of another."""

import os
import shlex

import click

from surefoot.branches.rebasing import Rebase, planned
from surefoot.branches.upstream import next_of_git
from surefoot.cli import output
from surefoot.cli.lock import completed
from surefoot.cli.project import project, read_on, serving
from surefoot.cli.targets import chosen, target_option
from surefoot.errors import RevisionReleased, SurefootError, names
from surefoot.ledger.glance import read
from surefoot.project import Project
from surefoot.wording import counted


@click.command(name="rebase")
@click.option("--onto", metavar="REV", help="The revision to stand behind; their newest one.")
@click.option(
    "--upstream", metavar="BRANCH", help="The branch that has theirs; what is merged, or main."
)
@click.option("--dry-run", is_flag=True, help="Show what is renamed; write nothing.")
@target_option
def command(onto: str | None, upstream: str | None, dry_run: bool) -> None:
    """Put the revisions of this branch behind those of the branch that was merged.

    Two branches have added a revision behind the same one. Merge or rebase in git first, then run
    this in the middle of it or afterwards. Mine are those that the other branch does not have. Ids,
    file names, down_revision, requires_code, the backfills that name them, docstrings, comments and
    revisions.lock, with its conflict, are written. What is released is refused: what the main
    branch has, or the ledger of the database that --target names.

    \b
    Examples:
      surefoot rebase --dry-run
      surefoot rebase
      surefoot rebase --upstream origin/develop --target staging

    \b
    Exit codes: 0 done, or nothing to do; 2 usage; 3 refused, and nothing was
    written.
    """
    found = project()
    plan = planned(found, upstream, onto)
    if chosen() is not None:
        _refuse_applied(plan, found)
    _tell(plan)
    if not (plan.contents or plan.conflict):
        output.narrate(f"OK  nothing to rebase: {_where(plan)}")
        return
    if dry_run:
        output.narrate(f"nothing was written. Next: {names.command()} rebase")
        return
    plan.write()
    try:
        completed(found)
    except SurefootError as error:
        output.narrate(f"NOT TRIED  {error.message}\n  then: {names.command()} lock")
    output.narrate(f"OK  {_where(plan)}; {found.lock.name} written")
    renamed = [move for move in plan.moves if move.id != move.revision.id]
    if renamed:
        ids = ", ".join(move.revision.id for move in renamed)
        output.narrate(
            f"A development database that has {ids} of this branch: {names.program()} db goto"
        )
    first = found.lock.parent
    written = {first, *(path.parent for path in plan.contents if first not in path.parents)}
    folders = shlex.join(os.path.relpath(each) for each in sorted(written))
    output.narrate(f"Next: git add -A {folders} && {next_of_git(first)}")


def _where(plan: Rebase) -> str:
    if not plan.moves:
        return f"{plan.branch} has every revision of this branch"
    moved = counted(sum(not each.stays for each in plan.moves), "revision", "is/are")
    return f"{moved} behind {' and '.join(plan.onto) or 'base'} of {plan.branch}"


def _tell(plan: Rebase) -> None:
    """The files that are written, on stdout."""
    paths = {move.path: move for move in plan.moves}
    for path, move in paths.items():
        if path not in plan.contents:
            continue
        old = move.revision.file_name
        name = path.name if path.name == old else f"{old} -> {path.name}"
        output.answer(f"  {name}, on {', '.join(move.down) or 'base'}")
    for path, code in plan.contents.items():
        if code is not None and path not in paths:
            output.answer(f"  {path.parent.name}/{path.name}, the ids that it names")
    if plan.conflict:
        output.answer(f"  {plan.lock.name}, its conflict")
    for place in plan.left:
        output.narrate(f"NOTE  {place} has an id in a string, which stays as it is: look at it")


def _refuse_applied(plan: Rebase, of: Project) -> None:
    """On failure: RevisionReleased, where the ledger of the target has one of mine."""
    with serving() as database:
        recorded = read_on(database, lambda at: read(at, of.version_table).recorded) or {}
    for move in plan.moves:
        row = recorded.get(move.revision.id)
        if row is not None and row.checksum == move.revision.sha256:
            raise RevisionReleased(move.revision.name, f"{chosen()} has applied it")
