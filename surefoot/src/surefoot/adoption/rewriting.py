"""rewritten() writes env.py with Surefoot's Environment in place of what ran migrations.

All other lines stay as they are, but for engines, and imports of Alembic, SQLAlchemy and Python,
that nothing uses any more.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from surefoot.adoption.env_file import EnvFile
from surefoot.adoption.statements import FACTORIES, last_name, names

LINE = 100
_IMPORT = "from surefoot import Environment\n"
_URL = "from sqlalchemy import make_url\n"
# `flask db …` runs in the context of the application; `alembic` and `surefoot` do not.
_FLASK = """\
import os

from flask import has_app_context
from flask.cli import ScriptInfo, load_dotenv

if not has_app_context():  # FLASK_APP, also one of .flaskenv, names the application
    load_dotenv()
    ScriptInfo(os.environ.get("FLASK_APP")).load_app().app_context().push()
"""
_MODULES = {*sys.stdlib_module_names, "alembic", "sqlalchemy"}


def rewritten(file: EnvFile) -> str:
    """The new text; the old one where nothing runs migrations."""
    if file.is_adopted or not file.running:
        return file.text
    lines: list[str | None] = [*file.text.splitlines(keepends=True)]
    last = file.running[-1]
    place = _start(last, file)
    for each in file.running:
        _remove(lines, _start(each, file), each.end_lineno or each.lineno)
    kept = [f"{textwrap.dedent(_whole(each, file)).strip()}\n" for each in file.kept]
    added = "\n\n".join([*kept, call(file)])
    body = _joined([*lines[: place - 1], added, *lines[place - 1 :]])
    body = _without_unused(body, {*_gone(file)})
    # Where statements are gone, their blank lines are too many.
    body = re.sub(r"\n{3,}(?=import |from )", "\n\n", body)
    return re.sub(r"\n{4,}", "\n\n\n", _with_imports(body, file)).rstrip() + "\n"


def call(file: EnvFile) -> str:
    """The call of Environment."""
    database = file.database or "..."
    if file.search_path:
        options = f'{{"options": {file.search_path}}}'
        database = f"make_url({database}).update_query_dict({options})"
    given = {"metadata": file.metadata or "()", "database": database}
    rest: dict[str, str] = {}
    for option in file.options:
        if option.is_carried:
            argument = option.treatment.argument
            (rest if argument is None else given)[argument or option.name] = option.value
    written = [f'"{name}": {value}' for name, value in rest.items()]
    for argument, listed in (("schemas", file.schemas), ("extensions", file.extensions)):
        if listed:
            named = ", ".join(json.dumps(each, ensure_ascii=False) for each in listed)
            given[argument] = f"[{named}]"
    given.update(_options(written, file))
    arguments = [f"{name}={value}" for name, value in given.items()]
    in_line = f"Environment({', '.join(arguments)}).run()\n"
    if len(in_line) <= LINE and "\n" not in in_line.strip():
        return in_line
    return "Environment(\n" + "".join(f"    {each},\n" for each in arguments) + ").run()\n"


def _options(written: Sequence[str], file: EnvFile) -> Mapping[str, str]:
    """The argument `options`, of items as they are written in a dictionary."""
    # Flask-Migrate asks for batches, which are for SQLite.
    without = '{{n: each for n, each in {}.items() if n != "render_as_batch"}}'
    spread = [without.format(each) if file.is_of_flask else each for each in file.spread]
    items = [*written, *(f"**{each}" for each in spread)]
    in_line = f"{{{', '.join(items)}}}"
    if len(in_line) > LINE - 20:
        in_line = "".join(["{\n", *(f"        {each},\n" for each in items), "    }"])
    return {"options": in_line} if items else {}


def _start(statement: ast.stmt, file: EnvFile) -> int:
    """The first line of a statement, with its decorators and the comments right above it."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    start = min([statement.lineno, *(each.lineno for each in decorators)])
    lines = file.text.splitlines()
    while start > 1 and lines[start - 2].startswith("#"):
        start -= 1
    return start


def _whole(statement: ast.stmt, file: EnvFile) -> str:
    """The lines of a statement."""
    return "\n".join(file.text.splitlines()[statement.lineno - 1 : statement.end_lineno])


def _remove(lines: list[str | None], start: int, end: int) -> None:
    lines[start - 1 : end] = [None] * (end - start + 1)


def _joined(lines: Sequence[str | None]) -> str:
    return "".join(each for each in lines if each is not None)


def _gone(file: EnvFile) -> Iterator[str]:
    """The names that the removed statements read."""
    for each in file.running:
        yield from names(each)


def _without_unused(text: str, gone: set[str]) -> str:
    """The text without engines and imports that only the removed statements used."""
    while True:
        tree = ast.parse(text)
        read = {*names(tree)}
        lines: list[str | None] = [*text.splitlines(keepends=True)]
        for each in tree.body:
            if (written := _left_of(each, gone - read)) is None:
                continue
            start, end = each.lineno, each.end_lineno or each.lineno
            if "#" in _joined(lines[start - 1 : end]) and written:
                continue  # a comment may be about the rest
            gone |= {*names(each)}
            _remove(lines, start, end)
            lines[start - 1] = written or None
        if (shorter := _joined(lines)) == text:
            return text
        text = shorter


def _left_of(statement: ast.stmt, unused: set[str]) -> str | None:
    """The text of an import, or of an engine, without unused names; None where all is used."""
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
        is_engine = last_name(statement.value) in FACTORIES
        bound = {each.id for each in statement.targets if isinstance(each, ast.Name)}
        return "" if is_engine and bound and bound <= unused else None
    if not isinstance(statement, (ast.Import, ast.ImportFrom)):
        return None
    of = (statement.module or "") if isinstance(statement, ast.ImportFrom) else None
    rest = []
    for alias in statement.names:
        root = (alias.name if of is None else of).partition(".")[0]
        if (alias.asname or alias.name.partition(".")[0]) not in unused or root not in _MODULES:
            rest.append(alias)
    if len(rest) == len(statement.names):
        return None
    statement.names = rest
    return f"{ast.unparse(statement)}\n" if rest else ""


def _with_imports(text: str, file: EnvFile) -> str:
    """The text with the imports that the new call needs."""
    lines = text.splitlines(keepends=True)
    body = ast.parse(text).body
    imports = [each for each in body if isinstance(each, (ast.Import, ast.ImportFrom))]
    of_alembic = [each.lineno for each in imports if getattr(each, "module", None) == "alembic"]
    place = 0
    for each in imports:
        # Behind the import of Alembic and those right below it, or else behind the last one.
        if not of_alembic or each.lineno in (of_alembic[0], place + 1):
            place = each.end_lineno or each.lineno
    lines.insert(place, _IMPORT)
    if file.search_path:
        lines.insert(place, _URL)
    if file.is_of_flask:
        last = max(each.end_lineno or each.lineno for each in imports) + 1
        lines.insert(last, _FLASK)
    return "".join(lines)
