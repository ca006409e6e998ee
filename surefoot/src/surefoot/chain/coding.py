"""The text of a Python file, as Python reads it, and its bytes, as its author has written them.

A file may begin with a byte order mark or name its coding, and may have the line ends of Windows.
"""

import ast
import io
import tokenize
import warnings
from importlib.util import decode_source
from pathlib import Path


def text_of(path: Path) -> str:
    """The text of a file that is Python, with the line ends of Unix. On failure: OSError."""
    return decode_source(path.read_bytes())


def parsed(source: str | bytes, name: str = "<unknown>") -> ast.Module:
    """The syntax tree of a file; Python warns of its strings where it is imported, and once.

    On failure: SyntaxError, ValueError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source, name)


def encoded(text: str, former: bytes) -> bytes:
    """A new text of a file, in the coding and with the line ends of its former one.

    On failure: UnicodeEncodeError.
    """
    coding, _ = tokenize.detect_encoding(io.BytesIO(former).readline)
    return (text.replace("\n", "\r\n") if b"\r\n" in former else text).encode(coding)
