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


class Fixed:
    """An error that always says the same: `SurefootError` makes its constructor of `says`."""

    def __init__(self) -> None: ...


class SettingsInvalid(UsageError):
    """An environment variable, a line of .env or a secret file is invalid."""

    code = "settings-invalid"

    def __init__(self, problems: Sequence[str], *, help: str | None = None) -> None:  # noqa: A002 - as the base
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), help=help or "see `vegafs settings --help`")


class VolumeUnknown(UsageError):
    """No volume of that name is configured or catalogued."""

    code = "volume-unknown"
    volume: str
    configured: Sequence[str]
    says = "there is no volume {volume!r}; configured: {configured:none}"
    helps = "name one of them, or add the folder to VEGAFS_VOLUMES and restart the service"


class PathOutsideVolumes(UsageError):
    """The path is not below the root of a configured volume, or leaves it."""

    code = "path-outside-volumes"
    path: str
    configured: Sequence[str]
    says = "{path!r} is not below a volume; configured: {configured:none}"
    helps = "name a folder below one of them, or add one to VEGAFS_VOLUMES and restart the service"


class PathNotAFolder(UsageError):
    """The path is not a folder that the service can read."""

    code = "path-not-a-folder"
    path: str
    reason: str
    says = "{path!r} is not a folder that the service can read: {reason}"
    helps = "name a folder that exists where the service runs and that its user may read"


class CursorInvalid(Fixed, UsageError):
    """The cursor does not come from a previous page."""

    code = "cursor-invalid"
    says = "the cursor does not come from a page of this list"
    helps = "pass `next` of the previous page unchanged, or omit the cursor to start again"


class BodyTooLarge(UsageError):
    """The body of the request is larger than the service reads."""

    code = "content-too-large"
    limit_bytes: int
    says = "the body is larger than {limit_bytes} bytes, and was not read"
    helps = "GET /openapi.json describes the request"


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


class AddressUnusable(UsageError):
    """The service cannot listen on its address, for another reason than that it is in use."""

    code = "address-unusable"
    host: str
    port: int
    reason: str
    says = "the service cannot listen on {host} port {port}: {reason}"
    helps = "set VEGAFS_HOST to an address of this machine, and VEGAFS_PORT to one that is allowed"


class JobNotFound(NotFound):
    """There is no job with that id."""

    code = "job-not-found"
    job_id: int
    says = "there is no job {job_id}"
    helps = "GET /api/v1/jobs lists the jobs"


class KeyNotFound(NotFound):
    """No API key with that name is in force."""

    code = "key-not-found"
    name: str
    says = "no key {name!r} is in force"
    helps = "`vegafs keys list` shows the keys"


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
    job_id: int
    job_status: str
    says = "job {job_id} is {job_status} and cannot be cancelled"
    helps = "only a job that is PENDING or RUNNING can be cancelled"


class KeyNameTaken(Refused):
    """An API key with that name is in force."""

    code = "key-name-taken"
    name: str
    says = "a key {name!r} is in force and cannot be shown again"
    helps = "choose another name, or run `vegafs keys revoke {name}` first"


class KeyMissing(Fixed, Refused):
    """The request has no API key."""

    code = "key-missing"
    says = "the request has no API key"
    helps = "send `Authorization: Bearer KEY`; `vegafs keys create NAME` creates a key"


class KeyUnknown(Fixed, Refused):
    """The API key of the request is not in force."""

    code = "key-unknown"
    says = "the API key is not in force: it was revoked, or belongs to another database"
    helps = "`vegafs keys create NAME` creates a key"


class ScopeMissing(Refused):
    """The API key lacks a scope."""

    code = "scope-missing"
    name: str
    scope: str
    says = "the key {name!r} does not have the scope {scope!r}"
    helps = "`vegafs keys create NAME --scope {scope}` creates a key that has it"


class NotReady(Temporary):
    """The service cannot serve on its database's schema."""

    code = "not-ready"
    state: str
    says = "the service cannot serve on its database's schema at the moment: {state}"
    helps = "send a key to GET /readyz for the reason"
