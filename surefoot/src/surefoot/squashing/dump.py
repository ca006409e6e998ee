"""Dumps of a scratch database by pg_dump, and their SQL in the form that one message can send."""

import re
from pathlib import Path

from surefoot.catalog.normal_form import settled
from surefoot.connect.database import Database
from surefoot.connect.failures import explained
from surefoot.connect.libpq import run_program
from surefoot.embedded import find_binaries, find_program
from surefoot.errors import DumpProgramMissing, NotSquashed

# Owners are compared, and not written: all is made by the role that migrates.
_PLAIN = ("--no-owner", "--no-tablespaces", "--no-table-access-method", "--rows-per-insert=500")
_ALWAYS = ("--encoding=UTF8", "--no-subscriptions")
# Commands of psql; the key is random.
_NOT_SQL = re.compile(r"^\\(?:un)?restrict \S+\n", re.MULTILINE)
# pg_dump's settings, as the transaction has them.
_SETTINGS = """\
SET LOCAL standard_conforming_strings = on;
SET LOCAL check_function_bodies = false;
SET LOCAL xmloption = content;
SET LOCAL client_min_messages = warning;
SET LOCAL row_security = off;
SELECT pg_catalog.set_config('search_path', '', true);

"""
_ENTRY = re.compile(
    r"^--\n-- (?:Data for )?Name: (?P<name>[^\n]*); Type: (?P<kind>[^;\n]*); Schema: [^\n]*\n--\n",
    re.MULTILINE,
)
# Entries that name roles outside of parentheses and of what is quoted, behind one of these words.
_NAMES_ROLES = ("ACL", "DEFAULT ACL", "POLICY", "USER MAPPING")
_BEFORE_A_ROLE = ("FROM", "TO", "ROLE", "FOR", ",")
_WORD = re.compile(r"""\s+|"(?:[^"]|"")*"|'(?:[^']|'')*'|[\w$]+|.""", re.DOTALL)
# pg_dump writes a large object in a transaction of its own, which would end that of the squash.
_TRANSACTION = re.compile(r"^(?:BEGIN|COMMIT);\n", re.MULTILINE)
_END = "--\n-- PostgreSQL database dump complete\n--\n"
# A constant with a time zone, as a session in UTC writes it.
_ZONED = re.compile(r"\d\d:\d\d:\d\d(?:\.\d+)?\+00\b")


async def dumped(database: Database, major: int, revision: str, *, as_sql: bool) -> str:
    """The dump of a scratch database: as SQL to make it again, or whole, to compare it.

    On failure: DumpProgramMissing, NotSquashed, DatabaseUnreachable.
    """
    return await _run(database, major, revision, *(_PLAIN if as_sql else ()))


async def dumped_schema(database: Database, major: int, revision: str) -> str:
    """The whole dump without the rows, to compare it. On failure: the same."""
    return await _run(database, major, revision, "--schema-only")


async def _run(database: Database, major: int, revision: str, *options: str) -> str:
    program, given = _program(database, major), (*_ALWAYS, *options)
    url, name = database.location("migrate"), f"{database.name}-squash"
    for _ in range(2):
        code, dump, messages = await run_program(program, *given, url=url, name=name)
        if not code:
            return _NOT_SQL.sub("", dump)
        # That its session was ended, or a statement cancelled, says nothing of the revisions.
        with explained(database.shown("migrate")):
            await (await database.connect("migrate")).close()
    raise NotSquashed(revision, messages.partition("\n")[0])


def _program(database: Database, major: int) -> Path:
    """pg_dump of the server's own programs, else of its major or newer.

    On failure: DumpProgramMissing.
    """
    found = find_binaries(database.pg_bindir, major=major)
    if found is not None and (own := found.bindir / "pg_dump").is_file():
        return own
    program = find_program("pg_dump", database.pg_bindir, since=major)
    if program is None:
        raise DumpProgramMissing(database.location("migrate").name, major)
    return program


def plain_sql(dump: str, owner: str) -> str:
    """The statements of a dump that was written by the `owner` of everything.

    Their settings end with their transaction. Schemas may be there already. A comment on an
    extension is left out, as only the extension's owner may make it, and the extension brings one.
    """
    head, *found = _entries(dump.replace(_END, ""))
    del head  # settings of the session
    kept = []
    for name, kind, text in found:
        if kind == "COMMENT" and name.startswith("EXTENSION "):
            continue
        kept.append(_changed(kind, text, owner).strip() + "\n")
    return _SETTINGS + "\n".join(kept)


def _changed(kind: str, text: str, owner: str) -> str:
    if kind == "SCHEMA":
        return re.sub(r"^CREATE SCHEMA ", r"\g<0>IF NOT EXISTS ", text, flags=re.MULTILINE)
    if kind == "BLOBS":
        return _TRANSACTION.sub("", text)
    return _of_whoever(text, owner) if kind in _NAMES_ROLES else text


def _of_whoever(text: str, owner: str) -> str:
    """The text with CURRENT_USER where it names the owner as a role."""
    made, before, depth = [], "", 0
    for word in _WORD.findall(text):
        depth += (word == "(") - (word == ")")
        is_role = word == owner and not depth and before in _BEFORE_A_ROLE
        made.append("CURRENT_USER" if is_role else word)
        before = before if word.isspace() else word
    return "".join(made)


def _entries(dump: str) -> list[tuple[str, str, str]]:
    """The name, the kind and the text of each entry; the first is all before them."""
    places = [*_ENTRY.finditer(dump)]
    ends = [*(each.start() for each in places), len(dump)]
    found = [("", "", dump[: ends[0]])]
    for each, end in zip(places, ends[1:], strict=True):
        found.append((each["name"], each["kind"], dump[each.end() : end]))
    return found


def _settled(dump: str) -> str:
    """A dump with the expressions in their normal form; rows are left as they are."""
    found, kind, place = list[str](), "", 0
    for each in _ENTRY.finditer(dump):
        found += [_settled_entry(kind, dump[place : each.start()]), each[0]]
        kind, place = each["kind"], each.end()
    return "".join((*found, _settled_entry(kind, dump[place:])))


def _settled_entry(kind: str, text: str) -> str:
    return text if kind == "TABLE DATA" else settled(text)


def depends_on_zone(schema: str) -> bool:
    """Whether the dump of a schema has constants that another time zone may have made others."""
    return bool(_ZONED.search(schema))


def first_difference(one: str, other: str) -> str:
    """The first lines in which two dumps differ, for an error; empty where they are equal.

    PostgreSQL writes some expressions in another form once it has read what it wrote.
    """
    if one == other or (one := _settled(one)) == (other := _settled(other)):
        return ""
    lines = one.splitlines()
    pairs = zip((*lines, "(end)"), (*other.splitlines(), "(end)"), strict=False)
    for number, (ours, theirs) in enumerate(pairs):
        if ours != theirs:
            entries = _ENTRY.findall("\n".join((*lines[:number], "")))
            of = f" in the entry {entries[-1][1]} of {entries[-1][0]}" if entries else ""
            return f"the revisions give {ours!r}{of}, and their dump {theirs!r}"
    return "they differ in their line ends"
