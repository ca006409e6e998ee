"""The words of a project that a shell completes, read from files; each with what it means."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import click

from surefoot import rules
from surefoot.chain.backfills import backfill_code, backfill_paths
from surefoot.chain.coding import parsed
from surefoot.chain.revisions import Revision, read_revisions
from surefoot.cli.ini_path import ini_file
from surefoot.errors.base import every_error
from surefoot.import_strings import imported
from surefoot.project import Project, module_paths

Words = Mapping[str, str]
_NEWEST = {"head": "the newest revision"}


def revisions(context: click.Context) -> Words:
    """The newest first, with their titles."""
    of, found = _project(context), list[Revision]()
    with suppress(Exception):
        found = [*of.locked()]
    found = found or [*read_revisions(*of.locations, recursive=of.recursive)]
    return {each.id: each.words for each in reversed(found)}


def goals(context: click.Context) -> Words:
    """The same, after the name of the newest."""
    return {**_NEWEST, **revisions(context)}


def ends(context: click.Context) -> Words:
    """The same, after the names of both ends."""
    return {**_NEWEST, "base": "before the first one", **revisions(context)}


def rule_titles(_: click.Context | None = None) -> Words:
    """The rules as their files have them: to import them all takes as long as a command."""
    folder = Path(next(iter(rules.__path__)))
    return dict(each for file in sorted(folder.glob("*.py")) for each in _rules_in(file))


def _rules_in(file: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(parsed(file.read_bytes())):
        match node:
            case ast.Call(keywords=[ast.keyword("id", ast.Constant(str(id_))), named, *_]):
                if named.arg == "title" and isinstance(named.value, ast.Constant):
                    yield id_, str(named.value.value)


def topics(_: click.Context) -> Words:
    """Rules and error codes, as `explain` takes them."""
    codes = {each.code: (each.__doc__ or "").partition("\n")[0] for each in every_error()}
    return {**rule_titles(), **codes}


def levels(_: click.Context) -> Words:
    """A rule with each level."""
    titles = rule_titles().items()
    return {
        f"{rule}={level}": title for rule, title in titles for level in ("error", "warning", "off")
    }


def backfills(context: click.Context) -> Words:
    """The files in the folder of backfills, with their first lines."""
    return {path.stem: _title(path) for path in backfill_paths(_project(context).lock)}


def _title(path: Path) -> str:
    with suppress(Exception):
        return (ast.get_docstring(backfill_code(path)) or "").partition("\n")[0]
    return ""


def targets(context: click.Context) -> Words:
    """Those that the project names beside env.py, or that are written out in it."""
    if (named := getattr(context.find_root().command, "targets", None)) is not None:
        return dict.fromkeys(imported(named)(), "")
    of = _project(context)
    module = parsed((of.folder / "env.py").read_bytes())
    for call in ast.walk(module):
        for given in call.keywords if isinstance(call, ast.Call) else ():
            if given.arg == "targets":
                return dict.fromkeys(_keys(given.value, module, of), "")
    return {}


def _keys(value: ast.expr, module: ast.Module, of: Project) -> Iterable[str]:
    """The keys of a dict, of a name that is one, or of an import string that leads to one."""
    match value:
        case ast.Dict(keys=keys):
            return [str(each.value) for each in keys if isinstance(each, ast.Constant)]
        case ast.Name(id=name):
            return _assigned(name, module, of)
        case ast.Constant(value=str(reference)):
            path, _, name = reference.partition(":")
            folders = (Path.cwd(), *map(Path, module_paths(of.ini)))
            files = (Path(folder, *path.split(".")).with_suffix(".py") for folder in folders)
            file = next(each for each in files if each.is_file())
            return _assigned(name, parsed(file.read_bytes()), of)
    return ()


def _assigned(name: str, module: ast.Module, of: Project) -> Iterable[str]:
    for node in module.body:
        named = node.targets if isinstance(node, ast.Assign) else []
        named = [node.target] if isinstance(node, ast.AnnAssign) else named
        value = getattr(node, "value", None)
        if isinstance(value, ast.Dict) and name in [getattr(each, "id", "") for each in named]:
            return _keys(value, module, of)
    return ()


def _project(context: click.Context) -> Project:
    return Project.read(ini_file(context))
