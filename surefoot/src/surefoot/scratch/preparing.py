"""prepare() gives a scratch database what a real one has before its first revision."""

import re
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from surefoot.connect.failures import address, describe, is_lost
from surefoot.errors import ExtensionNotCreated
from surefoot.project import Project
from surefoot.quoting import quoted

# A statement that fails where the schema is there; its quotes may be those of a string in Python.
_CREATES = re.compile(
    rb"\bCREATE\s+SCHEMA\s+(?!IF\s|AUTHORIZATION\b)(?:\\?\"([^\"\\]+)\\?\"|(\w+))"
    rb"|\bCreateSchema\(\s*[\"'](\w+)[\"']\s*\)",
    re.IGNORECASE,
)


async def prepare(engine: AsyncEngine, project: Project | None) -> None:
    """Create the extensions and the schemas that the project names.

    The first schema is that of unqualified names, and one that a revision creates is left to it.
    The bounds of partitions follow the time zone: it is not that of whatever server this is. On
    failure: ExtensionNotCreated.
    """
    if project is None:
        return
    statements = [f"CREATE SCHEMA IF NOT EXISTS {quoted(each)}" for each in _schemas(project)]
    async with engine.begin() as connection:
        await create_extensions(connection, project)
        name = await connection.scalar(text("SELECT current_database()::text"))
        statements.append(f"ALTER DATABASE {quoted(name)} SET timezone = 'UTC'")
        if project.schemas:
            path = f"{quoted(project.schemas[0])}, public"
            # It precedes what the role has for all databases. Of the role that logs in, whatever
            # role its sessions begin with.
            where = f"ALTER ROLE CURRENT_USER IN DATABASE {quoted(name)}"
            statements += ["SET LOCAL ROLE NONE", f"{where} SET search_path = {path}"]
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def create_extensions(connection: AsyncConnection, project: Project) -> None:
    """Create those that the operator of a database creates.

    On failure: ExtensionNotCreated, and where the session is lost the driver's error.
    """
    name = ""
    try:
        for name in project.extensions:
            create = f"CREATE EXTENSION IF NOT EXISTS {quoted(name)} CASCADE"
            await connection.exec_driver_sql(create)
    except DBAPIError as error:
        if is_lost(error):
            raise
        server = address(connection.engine.url)
        raise ExtensionNotCreated(name, server, describe(error)) from error


def preparation(project: Project) -> str:
    """All that decides how a scratch database of the project begins."""
    paths = project.folder / "env.py", project.squashed
    files = sha256(b"".join(each.read_bytes() for each in paths if each.exists())).hexdigest()
    named = f"{project.schemas} {_schemas(project)} {project.extensions} {project.version_table}"
    return f"{files} {named}"


def _schemas(project: Project) -> list[str]:
    """The schemas that are there before the first revision."""
    version_schema = project.version_table.schema
    by_revisions = _created(project) - {version_schema}
    named = filter(None, (*project.schemas, version_schema))
    return [each for each in named if each not in by_revisions]


def _created(project: Project) -> set[str]:
    """The schemas that revisions of the project create, as their files write it out."""
    if not project.schemas:
        return set()
    found = (match for code in project.codes().values() for match in _CREATES.findall(code))
    return {(written or folded.lower() or named).decode() for written, folded, named in found}
