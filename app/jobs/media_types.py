"""media_type() derives the media type of a file from its name.

It uses Python's table and not the machine's, so a file has the same type wherever it is scanned.
"""

from __future__ import annotations

import mimetypes

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
_MAX_ENDINGS = 10_000
_known: dict[str, str | None] = {}


def media_type(name: str) -> str | None:
    """The media type of a file of that name, or None where its ending says nothing."""
    ending = name[name.rfind(".") + 1 :] if "." in name else ""
    try:
        return _known[ending]
    except KeyError:
        found = _look_up(ending)
        if len(_known) < _MAX_ENDINGS:
            _known[ending] = found
        return found


def _look_up(ending: str) -> str | None:
    if not ending:
        return None
    kind, encoding = _TABLE.guess_type(f"name.{ending}")
    return _ENCODINGS.get(encoding) if encoding else kind
