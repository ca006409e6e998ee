"""The errors of the service, in the branches of `surefoot.errors`.

A branch determines the exit code and the HTTP status.
"""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.errors import NotFound, Refused, Temporary, UsageError, names

# The messages of the library name the command and the settings of this project.
names.use(
    names.Names(
        "vegafs",
        {
            "database": "DATABASE_URL",
            "database_file": "DATABASE_URL_FILE",
            "migrate_database": "VEGAFS_MIGRATE_DATABASE_URL",
            "targets": "VEGAFS_TARGETS",
            "scratch": "VEGAFS_SCRATCH_URL",
            "pg_bindir": "VEGAFS_PG_BINDIR",
            "mutex_wait_s": "VEGAFS_MIGRATE_MUTEX_WAIT_S",
            "lock_timeout_s": "VEGAFS_MIGRATE_LOCK_TIMEOUT_S",
            "patient_lock_timeout_s": "VEGAFS_MIGRATE_PATIENT_LOCK_TIMEOUT_S",
            "idle_in_transaction_timeout_s": "VEGAFS_MIGRATE_IDLE_IN_TRANSACTION_TIMEOUT_S",
            "backup_command": "VEGAFS_MIGRATE_BACKUP_COMMAND",
            "backup_waived": "VEGAFS_MIGRATE_BACKUP_WAIVED",
            "lint": "VEGAFS_MIGRATE_LINT",
        },
    )
)


class SettingsInvalid(UsageError):
    """An environment variable, a line of .env or a secret file is invalid."""

    code = "settings-invalid"

    def __init__(self, problems: Sequence[str], *, help: str | None = None) -> None:  # noqa: A002 - as the base
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), help=help or "see `vegafs settings --help`")


class VolumeUnknown(UsageError):
    """No volume of that name is configured or catalogued."""

    code = "volume-unknown"

    def __init__(self, volume: str, configured: Sequence[str]) -> None:
        self.volume = volume
        self.configured = tuple(configured)
        super().__init__(
            f"there is no volume {volume!r}; configured: {', '.join(self.configured) or 'none'}",
            help="name one of them, or add the folder to VEGAFS_VOLUMES and restart the service",
        )


class PathOutsideVolumes(UsageError):
    """The path is not below the root of a configured volume, or leaves it."""

    code = "path-outside-volumes"

    def __init__(self, path: str, configured: Sequence[str]) -> None:
        self.path = path
        self.configured = tuple(configured)
        super().__init__(
            f"{path!r} is not below a volume; configured: {', '.join(self.configured) or 'none'}",
            help="name a folder below one of them, or add one to VEGAFS_VOLUMES and restart the "
            "service",
        )


class PathNotAFolder(UsageError):
    """The path is not a folder that the service can read."""

    code = "path-not-a-folder"

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            f"{path!r} is not a folder that the service can read: {reason}",
            help="name a folder that exists where the service runs and that its user may read",
        )


class CursorInvalid(UsageError):
    """The cursor does not come from a previous page."""

    code = "cursor-invalid"

    def __init__(self) -> None:
        super().__init__(
            "the cursor does not come from a page of this list",
            help="pass `next` of the previous page unchanged, or omit the cursor to start again",
        )


class BodyTooLarge(UsageError):
    """The body of the request is larger than the service reads."""

    code = "content-too-large"

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(
            f"the body is larger than {limit_bytes} bytes, and was not read",
            help="GET /openapi.json describes the request",
        )


class JobImpossible(UsageError):
    """The job cannot be done, and a retry would not help."""

    code = "job-impossible"


class PortBusy(UsageError):
    """Another process listens on the service's port."""

    code = "port-busy"

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host, self.port, self.reason = host, port, reason
        super().__init__(
            f"the service cannot listen on {host} port {port}: {reason}",
            help=f"stop the process that uses it, or set VEGAFS_PORT={port % 65535 + 1}",
        )


class JobNotFound(NotFound):
    """There is no job with that id."""

    code = "job-not-found"

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        super().__init__(f"there is no job {job_id}", help="GET /api/v1/jobs lists the jobs")


class KeyNotFound(NotFound):
    """No API key with that name is in force."""

    code = "key-not-found"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no key {name!r} is in force", help="`vegafs keys list` shows the keys")


class JobActive(Refused):
    """The same work is already queued or running."""

    code = "job-active"

    def __init__(self, job_id: int, operation: str, volume: str, path: str) -> None:
        self.job_id, self.operation, self.volume, self.path = job_id, operation, volume, path
        where = f"{path!r} in volume {volume!r}" if path else f"volume {volume!r}"
        super().__init__(
            f"job {job_id} is active with the same work: {operation} of {where}",
            help=f"follow it with GET /api/v1/jobs/{job_id}, or cancel it first",
        )


class JobFinal(Refused):
    """The job has ended and cannot be changed."""

    code = "job-final"

    def __init__(self, job_id: int, status: str) -> None:
        self.job_id, self.job_status = job_id, status
        super().__init__(
            f"job {job_id} is {status} and cannot be cancelled",
            help="only a job that is PENDING or RUNNING can be cancelled",
        )


class KeyNameTaken(Refused):
    """An API key with that name is in force."""

    code = "key-name-taken"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"a key {name!r} is in force and cannot be shown again",
            help=f"choose another name, or run `vegafs keys revoke {name}` first",
        )


class KeyMissing(Refused):
    """The request has no API key."""

    code = "key-missing"

    def __init__(self) -> None:
        super().__init__(
            "the request has no API key",
            help="send `Authorization: Bearer KEY`; `vegafs keys create NAME` creates a key",
        )


class KeyUnknown(Refused):
    """The API key of the request is not in force."""

    code = "key-unknown"

    def __init__(self) -> None:
        super().__init__(
            "the API key is not in force: it was revoked, or belongs to another database",
            help="`vegafs keys create NAME` creates a key",
        )


class ScopeMissing(Refused):
    """The API key lacks a scope."""

    code = "scope-missing"

    def __init__(self, name: str, scope: str) -> None:
        self.name, self.scope = name, scope
        super().__init__(
            f"the key {name!r} does not have the scope {scope!r}",
            help=f"`vegafs keys create NAME --scope {scope}` creates a key that has it",
        )


class NotReady(Temporary):
    """The service cannot serve on its database's schema."""

    code = "not-ready"

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(
            f"the service cannot serve on its database's schema at the moment: {state}",
            help="send a key to GET /readyz for the reason",
        )
