r"""File names are bytes and the catalogue holds text, so bytes that are not UTF-8 are escaped.

    b"caf\xc3\xa9"  <->  "café"
    b"caf\xe9"      <->  r"caf\xe9"
    rb"caf\xe9"     <->  r"caf\x5cxe9"     a name that looks like an escape

Two names never become the same text, and the text can be converted back to the name. A request can
therefore name a folder as a listing shows it.
"""

from __future__ import annotations

import re

_LOOKS_ESCAPED = re.compile(rb"\\(?=x(?:[89a-f][0-9a-f]|5c))")
_ESCAPED = re.compile(rb"\\x([89a-f][0-9a-f]|5c)")


def listed(name: bytes) -> str:
    """The text of a name or a path, as the catalogue lists it."""
    return _LOOKS_ESCAPED.sub(rb"\\x5c", name).decode("utf-8", "backslashreplace")


def on_disk(text: str) -> bytes:
    """The name whose listed form is `text`."""
    return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode())
