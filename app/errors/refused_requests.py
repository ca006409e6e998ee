"""What the service refuses: a request that a job's state forbids, or a key that does not hold."""

from __future__ import annotations

from app.errors.refused import Refused


class JobActive(Refused):
    """The same work is queued or running already."""

    code = "job-active"

    def __init__(self, job_id: int, operation: str, volume: str, path: str) -> None:
        self.job_id, self.operation, self.volume, self.path = job_id, operation, volume, path
        where = f"{path!r} in volume {volume!r}" if path else f"volume {volume!r}"
        super().__init__(
            f"job {job_id} is active with the same work: {operation} of {where}",
            help=f"follow it with GET /api/v1/jobs/{job_id}, or cancel it first",
        )


class JobFinal(Refused):
    """The job has ended and cannot change any more."""

    code = "job-final"

    def __init__(self, job_id: int, status: str) -> None:
        self.job_id, self.job_status = job_id, status
        super().__init__(
            f"job {job_id} is {status} and cannot be cancelled",
            help="only a job that is PENDING or RUNNING can be cancelled",
        )


class KeyNameTaken(Refused):
    """An API key of that name is in force."""

    code = "key-name-taken"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"a key {name!r} is in force, and what it is cannot be shown again",
            help=f"choose another name, or `vegafs keys revoke {name}` first",
        )


class KeyMissing(Refused):
    """The request has no API key."""

    code = "key-missing"

    def __init__(self) -> None:
        super().__init__(
            "the request has no API key",
            help="send `Authorization: Bearer KEY`; `vegafs keys create NAME` makes a key",
        )


class ScopeMissing(Refused):
    """The API key may not do this: it lacks a scope."""

    code = "scope-missing"

    def __init__(self, name: str, scope: str) -> None:
        self.name, self.scope = name, scope
        super().__init__(
            f"the key {name!r} does not have the scope {scope!r}",
            help=f"`vegafs keys create NAME --scope {scope}` makes one that has it",
        )


class KeyUnknown(Refused):
    """The API key of the request is not in force."""

    code = "key-unknown"

    def __init__(self) -> None:
        super().__init__(
            "the API key is not in force: it was revoked, or never made for this database",
            help="`vegafs keys create NAME` makes a new one",
        )
