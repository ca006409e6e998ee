"""media_type() derives the media type of a file from its name.

It uses Python's table and not the machine's, so a file has the same type wherever it is scanned.
"""

from __future__ import annotations

import mimetypes
from functools import lru_cache

_TABLE = mimetypes.MimeTypes(filenames=())
# Python reports these as the encoding of another type; here they are the type.
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
