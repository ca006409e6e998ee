"""`surefoot lint --fix`: write planned safe forms into a revision that nobody has applied yet."""

from __future__ import annotations

import asyncio
import difflib
import importlib.util
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sqlalchemy import Connection

from surefoot.chain.coding import encoded
from surefoot.chain.lockfile import with_known, write_lock
from surefoot.chain.revisions import Revision, ancestors
from surefoot.chain.whole_file import write_whole
from surefoot.cli import output
from surefoot.cli.project import on_target
from surefoot.connect.any_failure import DATABASE_ERRORS
from surefoot.connect.database import Database
from surefoot.errors import SurefootError, UsageError
from surefoot.ledger.glance import read
from surefoot.linting.history import released
from surefoot.linting.judging import Linted
from surefoot.project import Project
from surefoot.remedies.objects import CERTAIN
from surefoot.remedies.rewriting import NotCertain, Text, rewritten
from surefoot.rules.repository import in_repository
from surefoot.run.scratch import scratch_at
from surefoot.target import Target
from surefoot.terminal.kind import asks
from surefoot.trace.fingerprints import catalog_of
from surefoot.trace.statement import Statement

if TYPE_CHECKING:
    from surefoot.remedies.planned import Planned

_BETWEEN = "its safe form needs a decision, or a deployment between its steps"


def fixed(
    of: Project,
    database: Database,
    linted: Linted,
    planned: Planned,
    *,
    since: str | None,
    yes: bool,
) -> Sequence[str]:
    """Write the safe forms that are certain, and say of the others why they are not.

    The revisions that were written; none where the answer was no, or where the schema would not be
    the same. On failure: UsageError for a revision that is released, or may be.
    """
    chain = of.revisions()
    texts, schema = _certain(chain, linted, planned)
    if not texts:
        output.narrate("nothing to write: no safe form is certain")
        return ()
    _refuse_released(of, chain, texts[0].path, since)
    texts = [replace(each, after=_formatted(each)) for each in texts]
    for each in texts:
        output.answer("".join(_difference(each)))
    if not yes and not asks():
        raise UsageError("--fix asks before it writes, and nobody can answer", help="add --yes")
    if not yes and not click.confirm("Write this?", err=True):
        return ()
    _write(of, {each.path: each.after for each in texts})
    last = of.revisions()[-1].id
    try:
        same = asyncio.run(_schema(of, database, last, linted.major)) == schema
    except SurefootError as error:
        same = False
        output.narrate(f"on the scratch database: {error.message}")
    if not same:
        _write(of, {each.path: each.before for each in texts})
        output.narrate("not fixed: they do not give the same schema, so the file is as it was")
        return ()
    known = {revision.id for revision in chain}
    new = [r.id for r in of.revisions() if r.id not in known or r.path == texts[0].path]
    output.narrate(f"written: {', '.join(new)}. revisions.lock has no verdict on them yet.")
    return new


def _certain(chain: Sequence[Revision], linted: Linted, planned: Planned) -> tuple[list[Text], str]:
    """The files of the one revision that can be rewritten, and the fingerprint of its schema."""
    by_id = {revision.id: revision for revision in chain}
    found: tuple[list[Text], str] = [], ""
    back: dict[str, list[Statement]] = defaultdict(list)
    for each in linted.trace.back.statements if linted.trace.back else ():
        back[each.revision].append(each)
    for unit in linted.units:
        broken = [f for f in linted.findings if f.revision == unit.revision and f.level == "error"]
        forms = {f: planned[f] for f in broken if f in planned and f.rule in CERTAIN}
        # Others may follow from these, and are judged again afterwards.
        reasons = {} if forms else dict.fromkeys(broken, _BETWEEN)
        if forms:
            try:
                texts = rewritten(unit, by_id[unit.revision], chain, forms, back[unit.revision])
                found = texts, next(iter(forms.values())).fingerprint
            except NotCertain as error:
                reasons = dict.fromkeys(forms, str(error))
        for finding, reason in reasons.items():
            output.narrate(f"{finding.place} [{finding.rule}]  by hand: {reason}")
    return found


def _refuse_released(of: Project, chain: Sequence[Revision], path: Path, since: str | None) -> None:
    """On failure: UsageError, where another branch or the database has the revision."""
    (revision,) = (each.id for each in chain if each.path == path)
    ids, branch = released(of.lock, since)
    if revision in ids:
        raise UsageError(
            f"{revision} is released: {of.lock.name} of {branch} has it",
            help="write its safe form as new revisions",
        )
    try:
        applied = on_target(_applied)
    except (*DATABASE_ERRORS, SurefootError) as error:
        output.narrate(f"the database was not asked whether it has {revision}: {error}")
        return
    if revision in ancestors(chain, applied):
        raise UsageError(
            f"{revision} is applied to the database",
            help="where nobody else uses that database, `alembic downgrade` it first",
        )


async def _applied(target: Target) -> frozenset[str]:
    def ids(connection: Connection) -> frozenset[str]:
        found = read(connection, target.version_table)
        return found.heads.union(found.recorded or ())

    async with target.engine.connect() as connection:
        return await connection.run_sync(ids)


async def _schema(of: Project, database: Database, revision: str, major: int | None) -> str:
    """The fingerprint of the schema after a revision."""
    async with scratch_at(database, of, [revision], major=major) as target:
        return (await catalog_of(target)).fingerprint()


def _write(of: Project, sources: dict[Path, str]) -> None:
    """Write the files, remove those without a text, and list them in revisions.lock."""
    locked = of.locked() if of.lock.exists() else ()
    # All of them first: a coding may lack a character.
    contents = {
        path: encoded(source, path.read_bytes() if path.exists() else b"")
        for path, source in sources.items()
        if source
    }
    for path in sources:
        if path in contents:
            write_whole(path, contents[path])
        else:
            path.unlink()
    write_lock(of.lock, with_known(of.revisions(), locked))


def _difference(text: Text) -> Iterable[str]:
    name = in_repository(text.path)
    former = f"a/{name}" if text.before else "/dev/null"
    rows = text.before.splitlines(keepends=True), text.after.splitlines(keepends=True)
    return difflib.unified_diff(*rows, former, f"b/{name}")


def _formatted(text: Text) -> str:
    """The new text as ruff formats it, where it is installed and had formatted the old one."""

    def ruff(source: str) -> str:
        done = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", text.path, "-"],
            input=source, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else source

    is_there = importlib.util.find_spec("ruff") is not None
    return ruff(text.after) if is_there and ruff(text.before) == text.before else text.after
