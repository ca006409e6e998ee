"""One trial: the files that autogenerate writes for a pair of models go up, down and up.

Whatever the models are, each of these holds:
    the first models from an empty database, and the second ones from the first, with rows
    `alembic check` finds nothing afterwards, and the catalog is that of the models
    values that both models have stay
    the downgrade gives the former catalog; it keeps the values, or it refuses and changes nothing
    lint finds no error in the files
"""

from __future__ import annotations

import shutil
import tempfile
import traceback
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path

from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from fuzz import rows
from fuzz.models import Model, metadata
from harness.generation import EMPTY, Project, on_empty
from surefoot.catalog import Catalog, difference
from surefoot.chain.revisions import read_revisions
from surefoot.environment.measurements import completed
from surefoot.errors import SurefootError
from surefoot.linting.lint import lint, server_major
from surefoot.quoting import shown
from surefoot.target import Target

# How often a release fills values between the revisions of one change.
MOST_FILLS = 20
NO_MODELS = "PostgreSQL does not take these models"
_INI = "[alembic]\nscript_location = %(here)s\nfile_template = %%(rev)s_%%(slug)s\n"
_Models = Sequence[MetaData]
_Rows = Mapping[str, Sequence[Mapping[str, object]]]


class Wrong(Exception):
    """A promise that did not hold."""


class NoModels(Exception):
    """PostgreSQL does not take the models themselves."""


class Trial:
    """One pair of models, in a database that is emptied for it."""

    def __init__(self, project: Project, before: Model, after: Model) -> None:
        self._project, self._before, self._after = project, before, after

    async def run(self, scratch: AsyncEngine | None) -> None:
        """On failure: Wrong; NoModels."""
        old, new = metadata(self._before), metadata(self._after)
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
        written = await self._revise(new, "Change")
        for path in written:
            text = path.read_text("utf-8")
            if 'phase = "contract"' in text and "Before this runs:" not in text:
                raise Wrong(f"the docstring of {path.name} does not say what to do before it")
            if "change a table" in text.lower():
                raise Wrong(f"the title of {path.name} does not say which table changes")
        now = await self._upgraded(new, "the second models")
        there = await self._rows()
        self._compare(at_first, there, "the upgrade")
        if scratch is not None and written:
            await self._lint(scratch, written)
        await self._downgraded(begun, was, there)
        again = await self._upgraded(new, "the second upgrade")
        _same(now, again, "a second upgrade")

    # -- steps -------------------------------------------------------------------------------------

    async def _revise(self, wanted: _Models, message: str) -> Sequence[Path]:
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
        _same(expected, found, f"the upgrade to {name}")
        with self._explained(f"`alembic check` after {name}"):
            await self._project.check(wanted)
        return found

    async def _upgrade(self, name: str) -> None:
        for _ in range(MOST_FILLS):
            if await self._is_upgraded():
                return
            # It refuses rows that a release has not filled yet.
            if not await self._project.connection.run_sync(rows.fill):
                break
        # The rows may contradict what the models say now.
        await self._project.connection.run_sync(rows.empty)
        with self._explained(f"the upgrade to {name}, without rows"):
            await self._project.upgrade()

    async def _is_upgraded(self) -> bool:
        try:
            await self._project.upgrade()
        except SurefootError:
            return False
        return True

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
        sides = [{each.name: each for each in model} for model in (self._before, self._after)]
        columns: dict[str, list[str]] = {}
        for name, each in sides[0].items():
            other = sides[1].get(name)
            if other is not None and each.code.startswith("Column") and "Computed" not in each.code:
                columns.setdefault(str(each.table), []).append(name.removeprefix(f"{each.table}."))
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
            for statement in (*EMPTY, "CREATE SCHEMA far"):
                await other.exec_driver_sql(statement)
        self._project.lock()
        ini = self._project.versions.parent / "alembic.ini"
        ini.write_text(_INI, "utf-8")
        chain = read_revisions(self._project.versions)
        names = {path.name for path in written}
        units = [each.id for each in chain if each.file_name in names]
        target = Target.of(scratch, ini)
        with self._explained("lint"):
            linted = await lint(target, chain, units, back=True)
            major = await server_major(target)
            for revision in chain:
                if revision.id in units and revision.path is not None:
                    linted = completed(revision.path, chain, linted, major)
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


def _same(expected: Catalog, found: Catalog, step: str) -> None:
    # Nobody drops an extension, and nobody declares a partition.
    differences = [
        str(each)
        for each in difference(expected, found)
        if each.kind not in ("extension", "partition")
    ]
    if differences:
        raise Wrong(shown(f"{step} left differences:\n  " + "\n  ".join(differences)))


async def tried(
    connection: AsyncConnection,
    scratch: AsyncEngine | None,
    before: Model,
    after: Model,
    style: str = "auto",
) -> tuple[str | None, str]:
    """How the promises failed, None where they hold; and the files, or NO_MODELS."""
    folder = Path(tempfile.mkdtemp(prefix="surefoot-fuzz-"))
    said = StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            project = await on_empty(folder, connection)
            project.configure(options={"include_schemas": True})
            await project.execute("CREATE SCHEMA far")
            project.config.stdout = said
            project.config.cmd_opts = Namespace(x=[f"style={style}"])
            try:
                await Trial(project, before, after).run(scratch)
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
