"""One trial: the files that autogenerate writes for a pair of models go up, down and up.

Whatever the models are, each of these holds:
    the first models from an empty database, and the second ones from the first, with rows
    `alembic check` finds nothing afterwards, and the catalog is that of the models
    values that both models have stay
    an expand revision refuses no statement of the release that knows the first models
    the downgrade gives the former catalog; it keeps the values, or it refuses and changes nothing
    lint finds no error in the files
"""

from __future__ import annotations

import re
import shutil
import tempfile
import traceback
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random

from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from fuzz import rows
from fuzz.generator import FAR
from fuzz.models import Model, metadata, renames
from harness.generation import EMPTY, EXTENSIONS, Project, leave_open, on_empty
from surefoot.catalog import Catalog, difference
from surefoot.chain.revisions import read_revisions
from surefoot.environment.measurements import completed
from surefoot.errors import BackfillPending, SurefootError
from surefoot.linting.lint import lint
from surefoot.quoting import shown
from surefoot.target import Target

# Where extensions are that the database has before the models: the search path ends there.
APART = "apart"
_EMPTY = (f"DROP SCHEMA IF EXISTS {APART} CASCADE", *EMPTY)
# How often a release fills values between the revisions of one change.
MOST_FILLS = 20
_OF_SEQUENCE = re.compile(r"^(?:unexpected|missing) sequence |expected nextval\(.*found nextval\(")
NO_MODELS = "PostgreSQL does not take these models"
_INI = "[alembic]\nscript_location = %(here)s\nfile_template = %%(rev)s_%%(slug)s\n"
_Models = Sequence[MetaData]
_Rows = Mapping[str, Sequence[Mapping[str, object]]]


@dataclass(frozen=True)
class Place:
    """A database and a way to write for it."""

    style: str = "auto"
    # Whether the other schema is there before the models are.
    has_far: bool = True
    # Whether the extensions are there, in a schema of their own.
    has_extensions: bool = False

    @staticmethod
    def of(seed: int) -> Place:
        """One by chance; the same number gives the same one."""
        random = Random(f"place {seed}")
        style = random.choices(("auto", "plain"), (4, 1))[0]
        return Place(style, random.random() < 0.7, random.random() < 0.3)

    def statements(self) -> Iterator[str]:
        """How an empty database becomes the place."""
        if self.has_far:
            yield f"CREATE SCHEMA {FAR}"
        if self.has_extensions:
            yield f"CREATE SCHEMA {APART}"
            for each in EXTENSIONS:
                yield f"CREATE EXTENSION {each} SCHEMA {APART}"


class Wrong(Exception):
    """A promise that did not hold."""


class NoModels(Exception):
    """PostgreSQL does not take the models themselves."""


class Trial:
    """One pair of models, in a database that is emptied for it."""

    def __init__(self, project: Project, before: Model, after: Model, place: Place) -> None:
        self._project, self._before, self._after = project, before, after
        self._place, self._renames = place, renames(before, after)

    async def run(self, scratch: AsyncEngine | None) -> None:
        """On failure: Wrong; NoModels."""
        old, new = metadata(self._before), metadata(self._after)
        self._first = old
        try:
            for each in (old, new):
                await self._project.models(*each)
        except DBAPIError as error:
            raise NoModels from error
        await self._revise(old, "Begin")
        was = await self._upgraded(old, "the first models")
        await self._project.connection.run_sync(rows.insert)
        begun = self._newest()
        at_first = await self._rows()
        released = await self._project.connection.run_sync(rows.release)
        written = await self._revise(new, "Change", await self._declared())
        for path in written:
            file = " ".join(path.read_text("utf-8").split())
            if 'phase = "contract"' in file and "Before this runs:" not in file:
                raise Wrong(f"the docstring of {path.name} does not say what to do before it")
            if "change a table" in file.lower():
                raise Wrong(f"the title of {path.name} does not say which table changes")
        await self._released(released, written)
        now = await self._upgraded(new, "the second models")
        there = await self._rows()
        self._compare(at_first, there, "the upgrade")
        if scratch is not None and written:
            await self._lint(scratch, written)
        await self._downgraded(begun, was, there)
        again = await self._upgraded(new, "the second upgrade")
        _same(now, again, "a second upgrade")

    # -- steps -------------------------------------------------------------------------------------

    async def _declared(self) -> Sequence[str]:
        """The renames as the command line says them; nothing moves to a schema that is missing."""
        is_there = text(f"SELECT to_regnamespace('{FAR}') IS NOT NULL")
        has_far = await self._project.connection.scalar(is_there)
        await self._project.connection.rollback()
        if not has_far:
            self._renames = {
                old: new for old, new in self._renames.items() if not new.startswith(f"{FAR}.")
            }
        tables = {each.name: each.table for each in (*self._before, *self._after)}
        found = []
        for old, new in self._renames.items():
            table, former = tables[new], tables[old]
            found.append(
                f"{table}{old.removeprefix(str(former))}:{new}" if table else f"{old}:{new}"
            )
        return found

    def _as_now(self, rows: _Rows) -> _Rows:
        """Rows by the names that the second models give to tables and columns."""
        found: dict[str, Sequence[Mapping[str, object]]] = {}
        parents = {each.name: each.facts[1] for each in self._before if "child" in each.facts}
        for table, each in rows.items():
            name, of = self._renames.get(table, table), parents.get(table, table)
            columns = {
                old.removeprefix(f"{of}."): new.removeprefix(f"{self._renames.get(of, of)}.")
                for old, new in self._renames.items()
                if old.startswith(f"{of}.")
            }
            found[name] = [{columns.get(key, key): row[key] for key in row} for row in each]
        return found

    async def _revise(
        self, wanted: _Models, message: str, declared: Sequence[str] = ()
    ) -> Sequence[Path]:
        extra = [f"style={self._place.style}", *(f"rename={each}" for each in declared)]
        self._project.config.cmd_opts = Namespace(x=extra)
        with self._explained(f"autogenerate ({message})"):
            return await self._project.revise(wanted, message)

    def _newest(self) -> str:
        chain = read_revisions(self._project.versions)
        return chain[-1].id if chain else "base"

    async def _upgraded(self, wanted: _Models, name: str) -> Catalog:
        """Upgrade as releases do, and compare the result with the models."""
        await self._upgrade(name)
        with self._explained(f"the catalog of {name}"):
            expected = await self._project.models(*wanted)
            found = await self._project.catalog()
        is_renamed = wanted is not self._first and bool(self._renames)
        _same(expected, found, f"the upgrade to {name}", is_renamed=is_renamed)
        with self._explained(f"`alembic check` after {name}"):
            await self._project.check(wanted)
        return found

    async def _released(self, statements: Sequence[str], written: Sequence[Path]) -> None:
        """Upgrade one by one: after an expand revision the release still does what it did."""
        names = {path.name for path in written}
        works = await self._answered(statements)
        for revision in read_revisions(self._project.versions):
            if revision.file_name in names:
                has_rows = await self._upgrade("the second models", revision.id)
                before, works = works, await self._answered(works)
                refused = sorted(before - works)
                if refused and has_rows and revision.phase == "expand":
                    listed = "\n  ".join(refused)
                    raise Wrong(
                        f"{revision.file_name} is expand, and the release fails:\n  {listed}"
                    )

    async def _answered(self, statements: Iterable[str]) -> frozenset[str]:
        return await self._project.connection.run_sync(rows.answered, statements)

    async def _upgrade(self, name: str, to: str = "head") -> bool:
        """Upgrade; whether the rows could stay."""
        for _ in range(MOST_FILLS):
            if (refusal := await self._refusal(to)) is None:
                return True
            # It refuses rows that a release or a backfill has not filled yet.
            filled = await self._project.connection.run_sync(rows.fill)
            if not (filled or await self._is_filled(refusal)):
                break
        # The rows may contradict what the models say now.
        await self._project.connection.run_sync(rows.empty)
        with self._explained(f"the upgrade to {name}, without rows"):
            # Whether a table has rows that the same run renames is not known before it.
            while isinstance(refusal := await self._refusal(to), BackfillPending):
                if refusal.first is None:
                    break
                await self._project.upgrade(refusal.first)
            if refusal is not None:
                raise refusal
        return False

    async def _refusal(self, to: str) -> SurefootError | None:
        try:
            await self._project.upgrade(to)
        except SurefootError as error:
            return error
        return None

    async def _is_filled(self, refusal: SurefootError) -> bool:
        """Whether the backfill that a revision requires ran to its end."""
        if not isinstance(refusal, BackfillPending):
            return False
        try:
            if refusal.first is not None:
                await self._project.upgrade(refusal.first)
            # The value of a file that a person completes.
            await self._project.connection.run_sync(rows.fill)
            return (await self._project.fill(refusal.backfill)).is_complete
        except SurefootError:
            return False

    async def _downgraded(self, to: str, was: Catalog, there: _Rows) -> None:
        try:
            await self._project.downgrade(to)
        except SurefootError:
            self._compare(there, await self._rows(), "the downgrade that refused")
            await self._project.connection.run_sync(rows.empty)
            with self._explained("the downgrade, without rows"):
                await self._project.downgrade(to)
        else:
            self._compare(there, await self._rows(), "the downgrade")
        _same(was, await self._project.catalog(), "the downgrade")

    async def _rows(self) -> _Rows:
        return await self._project.connection.run_sync(rows.kept)

    def _compare(self, before: _Rows, after: _Rows, step: str) -> None:
        before, after = self._as_now(before), self._as_now(after)
        sides = [{each.name: each for each in model} for model in (self._before, self._after)]
        columns: dict[str, list[str]] = {}
        for name, each in sides[0].items():
            table = self._renames.get(str(each.table), str(each.table))
            moved = name.replace(f"{each.table}.", f"{table}.", 1)
            now = self._renames.get(name, moved)
            is_column = each.code.startswith("Column") and "Computed" not in each.code
            if is_column and now in sides[1]:
                columns.setdefault(table, []).append(now.removeprefix(f"{table}."))
        for each in self._before:
            if each.facts[:1] == ("child",) and each.name in sides[1]:
                columns[each.name] = columns.get(each.facts[1], [])
        if any(before.values()) and not any(after.values()):
            return  # the rows contradicted the models, and are gone
        lost = [*rows.lost(before, after, columns)]
        if lost:
            raise Wrong(f"{step} changed values: {'; '.join(lost)}")

    async def _lint(self, scratch: AsyncEngine, written: Sequence[Path]) -> None:
        async with scratch.begin() as other:
            for statement in (*_EMPTY, *self._place.statements()):
                await other.exec_driver_sql(statement)
        for path in self._project.backfills.glob("*.py"):
            leave_open(path)
        self._project.lock()
        ini = self._project.versions.parent / "alembic.ini"
        ini.write_text(_INI, "utf-8")
        chain = read_revisions(self._project.versions)
        names = {path.name for path in written}
        units = [each.id for each in chain if each.file_name in names]
        target = Target.of(scratch, ini)
        with self._explained("lint"):
            linted = await lint(target, chain, units, back=True)
            for revision in chain:
                if revision.id in units and revision.path is not None:
                    linted = completed(revision.path, chain, linted)
        if linted.trace.failure is not None:
            raise Wrong(f"lint could not run the files: {linted.trace.failure}")
        errors = [each.render() for each in linted.findings if each.level == "error"]
        if errors:
            raise Wrong("lint finds errors:\n" + "\n".join(errors))

    def _explained(self, step: str) -> _Explained:
        return _Explained(step)


class _Explained:
    """Turns any error of a step into a promise that did not hold."""

    def __init__(self, step: str) -> None:
        self._step = step

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, Wrong):
            told = "".join(traceback.format_exception(error, limit=-3))
            raise Wrong(f"{self._step} failed: {error}\n{told}") from error


def _same(expected: Catalog, found: Catalog, step: str, *, is_renamed: bool = False) -> None:
    # Nobody drops an extension, and nobody declares a partition.
    differences = [
        str(each)
        for each in difference(expected, found)
        if each.kind not in ("extension", "partition")
    ]
    if is_renamed:
        # The sequence of a column keeps the name that PostgreSQL made of the former ones.
        differences = [each for each in differences if not _OF_SEQUENCE.search(each)]
    if differences:
        raise Wrong(shown(f"{step} left differences:\n  " + "\n  ".join(differences)))


async def tried(
    connection: AsyncConnection,
    scratch: AsyncEngine | None,
    before: Model,
    after: Model,
    place: Place,
) -> tuple[str | None, str]:
    """How the promises failed, None where they hold; and the files, or NO_MODELS."""
    folder = Path(tempfile.mkdtemp(prefix="surefoot-fuzz-"))
    said = StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            project = await on_empty(folder, connection)
            project.configure(options={"include_schemas": True})
            await project.execute(*_EMPTY, *place.statements())
            project.config.stdout = said
            try:
                await Trial(project, before, after, place).run(scratch)
            except Wrong as wrong:
                return str(wrong), project.text()
            except NoModels:
                await connection.rollback()
                return None, NO_MODELS
        return None, ""
    finally:
        with suppress(Exception):
            await connection.rollback()
        shutil.rmtree(folder, ignore_errors=True)
