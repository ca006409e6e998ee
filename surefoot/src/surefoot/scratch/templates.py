"""Templates are databases that have run the first revisions of a project.

A scratch database is a copy of the one with most of the revisions that it needs. One that is made
from it has the rows, the random values and the times of that run.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.chain.imports import changing_imports
from surefoot.chain.revisions import Revision
from surefoot.connect.database import Database
from surefoot.frozen import dataclass
from surefoot.quoting import literal

# Of one project: before the newest revision that was tried, and before another one.
KEPT = 2
LARGEST_BYTES = 400 * 1024**2
# An import of a module whose name the file may make up.
_BY_NAME = re.compile(rb"\b(?:importlib|__import__|runpy)\b")
_SIZE = "SELECT pg_database_size(current_database())"
_NAME = "surefoot_template_"
_FOUND = f"""
SELECT datname::text AS name, shobj_description(oid, 'pg_database') AS told FROM pg_database
WHERE datname ~ '^{_NAME}' ORDER BY oid
"""  # noqa: S608 - a constant
# All that the databases of a server share, and that a revision may change.
_SHARED = """
SELECT md5(concat_ws('|',
    (SELECT json_agg(a ORDER BY a.oid) FROM pg_authid a),
    (SELECT json_agg(m ORDER BY roleid, member, grantor) FROM pg_auth_members m),
    (SELECT json_agg(s ORDER BY setdatabase, setrole) FROM pg_db_role_setting s
     WHERE setdatabase = 0 OR setdatabase IN (SELECT oid FROM pg_database WHERE datname !~ $1)),
    (SELECT json_agg(t ORDER BY t.oid) FROM pg_tablespace t),
    (SELECT json_agg(p ORDER BY p.parname) FROM pg_parameter_acl p),
    (SELECT json_agg(d ORDER BY objoid, classoid) FROM pg_shdescription d
     WHERE classoid <> 'pg_database'::regclass),
    (SELECT json_agg(l ORDER BY objoid, classoid, provider) FROM pg_shseclabel l),
    (SELECT json_agg(json_build_array(datname, datdba, datacl, datconnlimit, datallowconn)
                     ORDER BY oid) FROM pg_database WHERE datname !~ $1),
    (SELECT json_agg(f) FROM pg_file_settings f)))
"""
_OURS = "^surefoot_(template|scratch)_"
# The database to copy. On a server that never waits for its disk a checkpoint costs nothing, and
# files are copied in a fourth of the time that their pages take.
_TEMPLATE = """
SELECT quote_ident(current_database()) || CASE
    WHEN current_setting('fsync') = 'off' AND current_setting('server_version_num')::int >= 150000
    THEN ' STRATEGY file_copy' ELSE '' END
"""
# The settings of a database and of the role in it.
_SETTINGS = """
SELECT DISTINCT split_part(setting, '=', 1) FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
"""


@dataclass(frozen=True)
class Templates:
    """The templates on the kept server of a project, and the state of that server."""

    # Of the server.
    database: Database
    # How scratch databases are prepared, and by which build.
    prepared: str
    shared: str

    @classmethod
    async def on(cls, database: Database, prepared: str) -> "Templates":
        return cls(database, prepared, await _state(database))

    async def are_alone(self) -> bool:
        """Whether the server has nothing more than it had, templates aside."""
        return await _state(self.database) == self.shared

    async def nearest(self, to: Sequence[Revision]) -> tuple[str, Mapping[str, str]] | None:
        """The template with most of these revisions and no other; its name and its revisions."""
        wanted = _checksums(to)
        found = [
            (each["name"], told["revisions"])
            for each in await _fetched(self.database, _FOUND)
            if (told := json.loads(each["told"] or "{}")).get("prepared") == self.prepared
            and told["revisions"].items() <= wanted.items()
        ]
        return max(found, key=lambda each: len(each[1]), default=None)

    async def keep(self, scratch: Database, revisions: Sequence[Revision]) -> None:
        """Keep a copy of a scratch database, to which nobody is connected, with these revisions.

        None is kept where it is large, and where it cannot be told that it stays what a new run
        would give: a revision imports the application, or has left something on the server.
        """
        ((size_bytes,),) = await _fetched(scratch, _SIZE)
        if size_bytes > LARGEST_BYTES:
            return
        files = [each.path for each in revisions if each.path is not None]
        if any(map(_imports_what_changes, files)) or not await self.are_alone():
            return
        told = json.dumps({"prepared": self.prepared, "revisions": _checksums(revisions)})
        name = _NAME + hashlib.sha256(told.encode()).hexdigest()[:16]
        there = [each["name"] for each in await _fetched(self.database, _FOUND)]
        if name in there:
            return
        await copy(scratch, name)
        dropped = [f"DROP DATABASE {old} WITH (FORCE)" for old in there[: 1 - KEPT]]
        for each in (f"COMMENT ON DATABASE {name} IS {literal(told)}", *dropped):
            await _fetched(self.database, each)


async def copy(of: Database, name: str) -> None:
    """Make a copy of a database, to which nobody is connected, with the settings that it has."""
    admin = await of.connect("migrate")
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {await admin.fetchval(_TEMPLATE)}")
        for row in await admin.fetch(_SETTINGS):
            await admin.execute(f"ALTER DATABASE {name} SET {row[0]} FROM CURRENT")
    finally:
        await admin.close()


def _checksums(revisions: Sequence[Revision]) -> Mapping[str, str]:
    return {each.id: each.sha256 for each in revisions}


def _imports_what_changes(file: Path) -> bool:
    source = file.read_bytes()
    return bool(_BY_NAME.search(source)) or any(changing_imports(source))


async def _state(database: Database) -> str:
    return str((await _fetched(database, _SHARED, _OURS))[0][0])


async def _fetched(database: Database, query: str, *arguments: str) -> Sequence[Any]:
    connection = await database.connect("migrate")
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()
