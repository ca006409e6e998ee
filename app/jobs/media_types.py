"""media_type() tells what a file is from the end of its name.

Python's own table is used, and not the machine's: the same file has the same type wherever it is
scanned.
"""

from __future__ import annotations

import mimetypes
from functools import lru_cache

_TABLE = mimetypes.MimeTypes(filenames=())
# What Python takes for an encoding of something else is what the file is.
_ENCODINGS = {
    "gzip": "application/gzip",
    "compress": "application/x-compress",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "br": "application/x-brotli",
}
# A tree has hundreds of endings and millions of files; foreign names must not fill the memory.
MAX_ENDINGS = 10_000


def media_type(name: str) -> str | None:
    """The media type of a file of that name, or None where its ending says nothing."""
    return media_type_of_ending(name[name.rfind(".") + 1 :] if "." in name else "")


@lru_cache(MAX_ENDINGS)
def media_type_of_ending(ending: str) -> str | None:
    """The media type of files whose name ends with a dot and `ending`."""
    if not ending:
        return None
    kind, encoding = _TABLE.guess_type(f"name.{ending}")
    return _ENCODINGS.get(encoding) if encoding else kind
