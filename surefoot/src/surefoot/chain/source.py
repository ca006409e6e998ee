"""Source is a revision file, read without running it.

folders -> source_paths -> source_codes -> source_of -> Source
                                       '-> executed -> the names that only show when the file runs
"""

import ast
import io
import os
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from surefoot.chain.checksum import checksum
from surefoot.chain.coding import parsed
from surefoot.chain.module_names import module_names
from surefoot.errors import RevisionsBroken, RunsNothing
from surefoot.frozen import dataclass
from surefoot.wording import raised

FUNCTIONS = ("upgrade", "downgrade")
# Alembic leaves them alone: a package's own file, and the lock file of an editor.
_NO_REVISIONS = ("__init__", ".#")
# Whatever `rules.suppressions` may take for a suppression; more of it only seals more.
_ALLOWED = re.compile(r"#\s*allow\s.*")
_CONFLICT = re.compile(rb"^<{7} ", re.MULTILINE)
_PART = 1 << 16
# By the folders, what was read in the block of `codes_read_once`.
_codes: ContextVar[dict[object, dict[str, bytes]] | None] = ContextVar("codes", default=None)
_NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


@dataclass(frozen=True)
class Source:
    """The names and the checksum of a file, from its text."""

    # The names that it binds; `...` is a value that only shows when the file runs.
    names: Mapping[str, object]
    sha256: str
    # The comments that allow a rule to be broken, each with its place in the code.
    allowed: Sequence[str]


def source_paths(*folders: Path, recursive: bool = False) -> list[str]:
    """The files that Alembic loads from the folders, each once; a folder may be missing.

    They are plain text: of thousands of files a `Path` takes longer than its file.
    """
    found: dict[str, tuple[str, str]] = {}
    for folder in folders:
        for root, inner, names in os.walk(folder):
            base = os.path.realpath(root)
            with os.scandir(root) as entries:
                links = {each.name for each in entries if each.is_symlink()}
            for name in sorted(names):
                if name.endswith(".py") and not name.startswith(_NO_REVISIONS):
                    is_link = name in links
                    real = os.path.realpath(f"{root}/{name}") if is_link else f"{base}/{name}"
                    found.setdefault(real, (root, name))
            # os.walk goes on in the folders that are left in its list.
            inner[:] = sorted({*inner} - {"__pycache__"}) if recursive else []
    return [f"{root}/{name}" for root, name in sorted(found.values())]


@contextmanager
def codes_read_once(is_once: bool = True) -> Iterator[None]:
    """Let the block, which tries the files as they are, read them once; with False again each time.

    A run in production reads them after it has waited for the mutex: they may be others then.
    """
    token = _codes.set({} if is_once else None)
    try:
        yield
    finally:
        _codes.reset(token)


def source_codes(*folders: Path, recursive: bool = False) -> dict[str, bytes]:
    """The bytes of the same files by their paths. On failure: RevisionsBroken."""
    known, key = _codes.get(), (folders, recursive)
    if known is not None and key in known:
        return known[key]
    found = {path: code_of(path) for path in source_paths(*folders, recursive=recursive)}
    if known is not None:
        known[key] = found
    return found


def code_of(path: str) -> bytes:
    """The bytes of a file. On failure: RevisionsBroken."""
    try:
        # `open` takes twice as long as the system.
        handle = os.open(path, os.O_RDONLY)
        try:
            code = b""
            while part := os.read(handle, _PART):
                code += part
            return code
        finally:
            os.close(handle)
    except OSError as error:
        name = Path(path).name
        raise RevisionsBroken(
            f"{name} cannot be read: {error.strerror}", help="restore it, or remove it"
        ) from None


def source_of(path: Path, source: bytes) -> Source:
    """The content of a file with these bytes. On failure: RevisionsBroken, RunsNothing."""
    try:
        tree = parsed(source, str(path))
    except (SyntaxError, ValueError, RecursionError) as error:
        line, reason = getattr(error, "lineno", None), getattr(error, "msg", str(error))
        has_conflict = _CONFLICT.search(source) is not None
        cure = "resolve the conflict of git in it" if has_conflict else "correct the file"
        raise RevisionsBroken(
            f"{path.name}:{line or 1} is not Python: {reason}", help=cure
        ) from None
    for each in tree.body:
        if isinstance(each, ast.AsyncFunctionDef) and each.name in FUNCTIONS:
            raise RunsNothing(path.name, each.name)
    return Source(module_names(tree), checksum(tree), tuple(_allowed(source)))


def executed(path: Path) -> Mapping[str, object]:
    """The names that the file binds, by running it as Alembic does. On failure: RevisionsBroken."""
    spec = spec_from_file_location(re.sub(r"\W", "_", path.name), path)
    if spec is None or spec.loader is None:
        raise RevisionsBroken(f"{path.name} cannot be imported", help="correct it")
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise RevisionsBroken(
            f"{path.name} cannot be imported: {raised(error)}", help="correct it"
        ) from error
    return vars(module)


def _allowed(source: bytes) -> Iterator[str]:
    """The comments that allow a rule, each after the number of words of code before it.

    A comment covers the statement that it stands at; empty lines and other comments do not matter.
    """
    if not _ALLOWED.search(source.decode(errors="replace")):
        return
    words = 0
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.COMMENT and (found := _ALLOWED.match(token.string)):
            yield f"{words} {found[0]}"
        words += token.type not in _NO_CODE
