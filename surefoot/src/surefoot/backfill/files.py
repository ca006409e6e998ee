"""The backfills of a project: the files of its folder `backfills`."""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from surefoot.backfill.definition import MOST_BATCH_S, Backfill
from surefoot.chain.backfills import backfill_code, backfill_paths
from surefoot.chain.checksum import checksum
from surefoot.chain.module import module_of
from surefoot.errors import BackfillInvalid, BackfillUnknown, BackfillUnwritten
from surefoot.project import Project
from surefoot.quoting import single
from surefoot.wording import raised

_NAME = re.compile(r"[a-z][a-z0-9_]*")
# The first word of a batch; it is a part of a statement.
_STATEMENT = re.compile(r"(INSERT|UPDATE|DELETE|MERGE|WITH)\b", re.IGNORECASE)


def read_backfills(project: Project) -> Mapping[str, Backfill]:
    """The backfills by their names. On failure: BackfillInvalid, which names the file."""
    return {path.stem: read_backfill(path) for path in backfill_paths(project.lock)}


def named(project: Project, name: str) -> Backfill:
    """The backfill of that name. On failure: BackfillUnknown, BackfillInvalid."""
    paths = {path.stem: path for path in backfill_paths(project.lock)}
    if name in paths:
        return read_backfill(paths[name])
    raise BackfillUnknown(name, tuple(paths))


def read_backfill(path: Path) -> Backfill:
    """The backfill of a file. On failure: BackfillInvalid, BackfillUnwritten."""
    code = backfill_code(path)
    try:
        module = module_of(f"backfill_{path.stem}", path, code)
    except (Exception, SystemExit) as error:
        reason = f"it cannot be imported: {raised(error)}"
        raise BackfillInvalid(str(path), reason) from error
    classes = [
        each
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, Backfill)
        and each.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise BackfillInvalid(str(path), f"it has not one subclass of Backfill, but {len(classes)}")
    found = classes[0]()
    found.name, found.sha256 = path.stem, checksum(code)
    sets: object = found.sets
    values = sets.items() if isinstance(sets, Mapping) else ()
    if unwritten := next((name for name, value in values if value is ...), None):
        raise BackfillUnwritten(str(path), unwritten)
    if problem := next(_problems(found), None):
        raise BackfillInvalid(str(path), problem)
    return found


def _problems(backfill: Backfill) -> Iterator[str]:
    if not _NAME.fullmatch(backfill.name) or len(backfill.name) > 63:
        yield "its name is not one of small letters, digits and _, of at most 63 characters"
    yield from _of_another_type(backfill)
    yield from _wrong_ways(backfill)
    least, most = backfill.batch_rows
    if not 0 < least <= most:
        yield "batch_rows are not positive, or the least number is above the most"
    if not 0 < backfill.batch_s <= MOST_BATCH_S:
        yield f"batch_s is not above 0 and up to {MOST_BATCH_S} seconds"
    if min(backfill.rows_per_call, backfill.concurrency) < 1 or backfill.max_failed_rows < 0:
        yield "rows_per_call, concurrency and max_failed_rows are too small"


def _of_another_type(backfill: Backfill) -> Iterator[str]:
    for name in ("after", "table", "todo"):
        value = getattr(backfill, name, None)
        if not isinstance(value, str) or not value.strip():
            yield f"{name} is no text"
    for name in ("key", "writes", "reads"):
        value = getattr(backfill, name)
        if not isinstance(value, (tuple, list)) or not _are(str, *value):
            yield f"{name} is no sequence of column names"
    if not _are(Mapping, backfill.sets) or not _are(str, *backfill.sets.values()):
        yield "sets is no mapping of columns to the SQL of their values, as text"
    if not _are(str, backfill.statement):
        yield "statement is no text"
    rows = backfill.batch_rows
    if not isinstance(rows, (tuple, list)) or len(rows) != 2 or not _are(int, *rows):
        yield "batch_rows is no pair of numbers: the least and the most rows of a batch"
    if not _are((int, float), backfill.batch_s):
        yield "batch_s is no number of seconds"
    if not _are(int, backfill.rows_per_call, backfill.concurrency, backfill.max_failed_rows):
        yield "rows_per_call, concurrency and max_failed_rows are no whole numbers"


def _wrong_ways(backfill: Backfill) -> Iterator[str]:
    if sum([bool(backfill.sets), bool(backfill.statement), backfill.is_python]) != 1:
        yield "it has not one of `sets`, `statement` and `fill`, or several"
    if backfill.statement and not _STATEMENT.match(single(backfill.statement) or ""):
        yield "statement is not one INSERT, UPDATE, DELETE or MERGE"
    for sql in (backfill.todo, *backfill.sets.values()):
        if single(sql) is None:
            yield f"this is not one expression: {sql}"
    if backfill.is_python and not backfill.writes:
        yield "`writes` does not name the columns that `fill` gives"
    if backfill.is_python and not inspect.iscoroutinefunction(backfill.fill):
        yield "fill is no coroutine: write it with `async def`"


def _are(kind: type | tuple[type, ...], *values: object) -> bool:
    return all(isinstance(each, kind) for each in values)
