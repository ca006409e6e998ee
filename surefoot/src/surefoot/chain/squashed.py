"""squashed.sql stands for the first revisions of a chain on an empty database.

    surefoot squash REV -> Squash -> squashed.sql, beside revisions.lock
    an empty database, and an upgrade that passes REV -> squashed.sql, then the later revisions
    every other database, and every other command    -> the revision files, as without it

One that was taken from a database stands for revisions that do not run on an empty one. Scratch
databases begin with it, too.

The file is sealed, and names the checksums of its revisions by one hash. So revisions.lock knows
nothing of it, and who deletes the file has the chain as it was.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, field, fields, replace
from pathlib import Path

from surefoot.chain.revisions import Revision, ancestors, heads, up_to
from surefoot.errors import SquashEdited, SquashStale
from surefoot.errors.names import program
from surefoot.frozen import dataclass

NAME = "squashed.sql"
_HEAD = """\
-- Up to {revision}, {count} of the revisions as one: their schema and their rows, as pg_dump writes them.
-- An empty database begins with this file; every other one runs the revisions.
-- Written by `{command} squash {revision}`. Do not edit it. To undo it, delete it.
"""  # noqa: E501 - as it is in the file
_TAKEN_HEAD = """\
-- Up to {revision}, {count} of the revisions as one: the schema of a database at {revision}, without rows.
-- An empty database begins with this file, and so does a scratch database.
-- Written by `{command} squash {revision} --from-database`. Do not edit it. To undo it, delete it.
"""  # noqa: E501 - as it is in the file
_TOLD = "-- squash: "
_SEAL = "-- seal: "
_PARTS = re.compile(
    rf"(?:-- [^\n]*\n)*?{_TOLD}(?P<told>[^\n]*)\n{_SEAL}(?P<seal>\S*)\n(?P<sql>.*)", re.DOTALL
)


@dataclass(frozen=True)
class Squash:
    """The SQL that makes what the revisions up to one of them make, and where it was proved."""

    revision: str
    # So many revisions; they and their checksums as one hash.
    count: int
    checksums: str
    # The majors of PostgreSQL on which it was seen to give what the revisions give.
    majors: tuple[int, ...]
    # The schema that names without one belong to.
    schema: str
    # Whether the result depends on the time zone of the session, which is UTC then.
    needs_utc: bool
    # requires_code of those that have it: revisions.lock does not, and the ledger keeps it.
    requires_code: Mapping[str, str]
    sql: str = field(repr=False)
    # Whether it is the schema of a database, since the revisions do not run on an empty one.
    from_database: bool = False

    @classmethod
    def of(
        cls,
        revisions: Sequence[Revision],
        revision: str,
        sql: str,
        *,
        majors: Sequence[int],
        schema: str,
        needs_utc: bool,
        from_database: bool = False,
    ) -> Squash:
        """A squash of the chain up to a revision."""
        below = up_to(revisions, [revision])
        needs = {each.id: each.requires_code for each in below if each.requires_code}
        hashed = checksums(below)
        given = revision, len(below), hashed, tuple(majors), schema, needs_utc, needs, sql
        return cls(*given, from_database)

    @classmethod
    def read(cls, path: Path) -> Squash | None:
        """The one in a file; None where there is no file.

        On failure: SquashEdited, where it is not as `surefoot squash` has written it.
        """
        try:
            text = _as_written(path.read_bytes()).decode()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SquashEdited(path.name, f"cannot be read: {error}") from None
        found = _PARTS.fullmatch(text)
        if found is None or found["seal"] != _sealed(found["told"], found["sql"]):
            raise SquashEdited(path.name, "was edited")
        told = json.loads(found["told"])
        # Older versions wrote no `from_database`.
        if {*told, "from_database"} != {each.name for each in fields(cls)} - {"sql"}:
            raise SquashEdited(path.name, "was written by another version")
        return cls(**{**told, "majors": tuple(told["majors"])}, sql=found["sql"])

    @classmethod
    def taken(cls, path: Path) -> Squash | None:
        """The same where it is from a database. On failure: SquashEdited, whatever it was from."""
        squash = cls.read(path)
        return squash if squash is not None and squash.from_database else None

    @property
    def _option(self) -> str:
        """The option of the command that writes such a file."""
        return " --from-database" if self.from_database else ""

    def text(self) -> str:
        """The content of the file."""
        values = {name: value for name, value in asdict(self).items() if name != "sql"}
        told = json.dumps(values)
        of = _TAKEN_HEAD if self.from_database else _HEAD
        head = of.format(**values, command=program())
        return f"{head}{_TOLD}{told}\n{_SEAL}{_sealed(told, self.sql)}\n{self.sql}"

    def check(self, revisions: Sequence[Revision]) -> tuple[Revision, ...]:
        """The revisions that it stands for, of a chain. On failure: SquashStale."""
        below = up_to(revisions, [self.revision])
        if not below:
            why = f"no file has {self.revision}"
            raise SquashStale(NAME, self.revision, why, f"head{self._option}")
        if checksums(below) != self.checksums:
            why = f"the revisions up to {self.revision} are not those that it was made from"
            raise SquashStale(NAME, self.revision, why, f"{self.revision}{self._option}")
        return tuple(replace(each, requires_code=self.requires_code.get(each.id)) for each in below)


def _as_written(content: bytes) -> bytes:
    """The content with the line ends that it was written with.

    Where git checks out with those of Windows, every line has them.
    """
    lines = content.count(b"\n")
    return content.replace(b"\r\n", b"\n") if content.count(b"\r\n") == lines else content


def checked(path: Path, revisions: Sequence[Revision]) -> str:
    """Compare a squash, where there is one, with the revisions; for how many it stands, in words.

    On failure: SquashEdited, SquashStale.
    """
    squash = Squash.read(path)
    return f"{path.name} stands for {len(squash.check(revisions))} of them" if squash else ""


def checksums(revisions: Sequence[Revision]) -> str:
    """One hash over the revisions, what they build on and their checksums."""
    listed = sorted((each.id, sorted(each.down), each.sha256) for each in revisions)
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def reached(revisions: Sequence[Revision], destination: str | None) -> Collection[str]:
    """The revisions that an upgrade from base to there passes, itself included.

    Empty for a destination that only Alembic can resolve: a relative one, a label, part of an id.
    """
    newest = heads(revisions)
    if destination == "heads" or (destination == "head" and len(newest) == 1):
        return ancestors(revisions, newest)
    return ancestors(revisions, [destination]) if destination else ()


def _sealed(told: str, sql: str) -> str:
    return hashlib.sha256(f"{told}\n{sql}".encode()).hexdigest()
