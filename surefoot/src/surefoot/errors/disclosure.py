"""Keeps secrets out of messages, and characters that would deceive a reader or a terminal.

    text -> masked() -> printable() -> terminal, log, ledger, page

A password reaches a message only through the words of others: a revision that raises with the URL,
a program that prints its arguments. So all messages pass here, not the ones that look dangerous.
"""

import re
import shlex
from typing import Any
from urllib.parse import quote

MASK = "***"
# A shorter one may be part of a word that a reader needs.
_SHORTEST = 6
# C0 and C1 controls without tab and line feed, overrides of the writing direction, separators that
# end a line, and halves of characters that no stream can encode.
_DECEPTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# The word of our own examples is no password.
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)(?!password@)[^\s/]*(?=@)")
_ASSIGNED = re.compile(
    r"\b(\w*(?:password|passwd|secret|token)\s*=\s*)('[^']*'|\"[^\"]*\"|[^\s'\",;&]+)",
    re.IGNORECASE,
)
_SQL_PASSWORD = re.compile(r"(\bPASSWORD\s+)'(?:[^']|'')*'", re.IGNORECASE)
_OPTION = re.compile(r"-[\w-]*(?:password|passwd|pwd|secret|token|key)[\w-]*", re.IGNORECASE)
# Each of the three forms has one of these, in any case; to look for them takes a tenth of the time.
_HINTS = ("://", "passw", "secret", "token")
_secrets: set[str] = set()


def keep_secret(value: str | None, *, unlike: tuple[str | None, ...] = ()) -> None:
    """Mask the value in all later messages, unless it is short or one of the names in `unlike`."""
    if value is not None and len(value) >= _SHORTEST and value not in unlike:
        _secrets.update((value, quote(value, safe="")))


def keep_secrets_of(command: str | None) -> None:
    """Mask the secrets that a shell command holds: assigned, or the value of an option."""
    try:
        words = shlex.split(command or "")
    except ValueError:
        words = (command or "").split()
    for before, word in zip(["", *words], words, strict=False):
        if " " in word:
            keep_secrets_of(word)  # the script of `sh -c`
        name, equals, value = word.partition("=")
        is_secret = _ASSIGNED.match(word) or _OPTION.fullmatch(name)
        if equals and is_secret:
            keep_secret(value)
        elif _OPTION.fullmatch(before) and not word.startswith("-"):
            keep_secret(word)
        if found := re.search(r"://[^\s:/@]*:([^\s/]*)@", word):
            keep_secret(found[1])


def masked(text: str) -> str:
    """The text without passwords: those that are known, and those that a form gives away."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    folded = text.casefold()
    if not any(hint in folded for hint in _HINTS):
        return text
    text = _URL_PASSWORD.sub(rf"\1{MASK}", text)
    return _SQL_PASSWORD.sub(rf"\1'{MASK}'", _ASSIGNED.sub(rf"\1{MASK}", text))


def printable(text: str) -> str:
    """The text with deceptive characters as escapes; lines and tabs stay."""
    return _DECEPTIVE.sub(_escape, text)


def disclosed(text: str) -> str:
    """The text as everybody may read it."""
    return printable(masked(text))


def disclosed_in(value: Any) -> Any:
    """The value with each text in it as everybody may read it."""
    if isinstance(value, str):
        return disclosed(value)
    if isinstance(value, (tuple, list)):
        return tuple(map(disclosed_in, value))
    return {k: disclosed_in(v) for k, v in value.items()} if isinstance(value, dict) else value


def in_json(document: str) -> str:
    """The JSON document with the same values, in which deceptive characters are escapes."""
    return _DECEPTIVE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
