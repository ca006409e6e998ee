"""The service answers every error with a problem (RFC 9457).

    SurefootError           its message is the detail, its code the type
    RequestValidationError  of FastAPI: RequestInvalid
    HTTPException           of Starlette: no such path, no such method, …
    any other error         500 or 503; the log has the reason

The status belongs to the branch of the error's class, as the exit code does. A detail never shows a
stack trace, SQL or the address of the database.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from app.errors import BodyTooLarge, Fixed, KeyMissing, KeyUnknown, NotReady, ScopeMissing
from surefoot.connect import DATABASE_ERRORS, TRY_AGAIN, describe, explain, sqlstate
from surefoot.errors import (
    DatabaseFailed,
    NotFound,
    PermissionMissing,
    Refused,
    SurefootError,
    Temporary,
    UsageError,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
# The first that matches; an error that matches none is a fault of the service: 500.
STATUS: tuple[tuple[type[SurefootError], int], ...] = (
    (KeyMissing, 401),
    (KeyUnknown, 401),
    (ScopeMissing, 403),
    (BodyTooLarge, 413),
    (NotFound, 404),
    (Refused, 409),
    (UsageError, 422),
    (Temporary, 503),
)
RETRY_AFTER_S = 5
# A table, column, type or function that the code names and the schema lacks.
UNDEFINED = ("42P01", "42703", "42704", "42883")


class Problem(BaseModel):
    """An error (RFC 9457). Further members depend on the code."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="The kind of the problem, as a URN.", examples=["urn:vegafs:job-active"]
    )
    title: str = Field(
        description="The kind of the problem, in words.",
        examples=["The same work is queued or running already"],
    )
    status: int = Field(description="The HTTP status.", examples=[409])
    detail: str = Field(
        description="The facts about this request.",
        examples=["job 17 is active with the same work: scan of volume 'usr'"],
    )
    instance: str = Field(description="The path of the request.", examples=["/api/v1/jobs"])
    code: str = Field(description="The kind of the problem, for programs.", examples=["job-active"])
    help: str | None = Field(
        description="The action that helps.",
        examples=["follow it with GET /api/v1/jobs/17, or cancel it first"],
    )


class ServiceFailed(Fixed, SurefootError):
    """The service failed, not the request."""

    code = "internal-error"
    says = "the request could not be answered"
    helps = "the service's log has the reason"


class DatabaseAway(Fixed, Temporary):
    """The database does not answer."""

    code = "database-unreachable"
    says = "the database does not answer at the moment"
    helps = "try again in a few seconds"


class DatabaseBusy(Fixed, Temporary):
    """The database is too busy."""

    code = "database-busy"
    says = "the database is too busy for this request at the moment"
    helps = "try again in a few seconds"


class SchemaDrifted(Fixed, Temporary):
    """The database lacks a table, a column or a type that the request needs."""

    code = "schema-drifted"
    says = "the database's schema is not the one that this build needs"
    helps = "`vegafs drift` lists the differences, with the SQL that repairs them"


class RequestInvalid(UsageError):
    """Parts of the request are missing, unknown or invalid."""

    code = "request-invalid"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        self.errors = errors
        super().__init__(
            "; ".join(f"{error['where']}: {error['message']}" for error in errors),
            help="GET /openapi.json describes the request",
        )


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem."""
    app.add_exception_handler(SurefootError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    # A refused connection arrives as an OSError; endpoints open no files, so it is the database's.
    for database_error in DATABASE_ERRORS:
        app.add_exception_handler(database_error, _database)
    app.add_exception_handler(Exception, _failed)


def problem(
    request: Request, error: SurefootError, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to a request that failed with the error."""
    status = next((status for cls, status in STATUS if isinstance(error, cls)), 500)
    fields = {k: v for k, v in error.as_json().items() if k not in ("code", "message", "help")}
    return _answer(
        request,
        status,
        code=error.code,
        title=_title(type(error)),
        detail=error.message,
        help_=error.help,
        fields=fields,
        headers=headers,
    )


def _answer(
    request: Request,
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    help_: str | None,
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    body = {
        "type": f"urn:vegafs:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "code": code,
        "help": help_,
        **(fields or {}),
    }
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def _title(cls: type[SurefootError]) -> str:
    """The first line of the class's docstring."""
    first = (inspect.getdoc(cls) or "").partition("\n")[0]
    return first.rstrip(".") or cls.code.replace("-", " ").capitalize()


async def _ours(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, SurefootError):
        raise error
    if isinstance(error, NotReady):
        # Not logged for every request: the watch has logged the reason once.
        return _later(request, error)
    if isinstance(error, Temporary):
        logger.warning("%s %s: %s", request.method, request.url.path, error)
        return _later(request, DatabaseAway())
    headers = {}
    if isinstance(error, (KeyMissing, KeyUnknown)):
        # RFC 6750: without a key, the challenge names no error.
        reason = ', error="invalid_token"' if isinstance(error, KeyUnknown) else ""
        # The operators' paths accept HTTP Basic too and set their own challenge.
        challenge = getattr(request.state, "challenge", None)
        headers["WWW-Authenticate"] = challenge or f'Bearer realm="vegafs"{reason}'
    return problem(request, error, headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    found = [
        {
            "where": ".".join(str(part) for part in item["loc"]),
            "message": item["msg"].removeprefix("Value error, "),
        }
        for item in error.errors()
    ]
    return problem(request, RequestInvalid(found))


async def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
        where, _, message = error.detail.partition(": ")
        return problem(request, RequestInvalid([{"where": where, "message": message}]))
    phrase = HTTPStatus(error.status_code).phrase
    details = {
        404: f"there is nothing at {request.url.path}",
        405: f"{request.url.path} does not take {request.method}",
    }
    return _answer(
        request,
        error.status_code,
        code=phrase.lower().replace(" ", "-"),
        title=phrase,
        detail=details.get(error.status_code, str(error.detail)),
        help_="GET /openapi.json lists the paths and methods",
        headers=error.headers,
    )


async def _database(request: Request, error: Exception) -> JSONResponse:
    """503 if the database does not answer, is too busy or lacks a table, 500 otherwise."""
    meant = explain(error, request.app.state.engine.url)
    if isinstance(error, PoolTimeout) or sqlstate(error) in TRY_AGAIN:
        logger.warning("%s %s: %s", request.method, request.url.path, describe(error))
        return _later(request, DatabaseBusy())
    if isinstance(meant, PermissionMissing):
        logger.error("%s %s: %s", request.method, request.url.path, meant)
        return problem(request, ServiceFailed())
    if sqlstate(error) in UNDEFINED:
        logger.error("%s %s: %s", request.method, request.url.path, describe(error))
        return _later(request, SchemaDrifted())
    is_known = meant is not None and not isinstance(meant, DatabaseFailed)
    if not is_known and not getattr(error, "connection_invalidated", False):
        raise error
    logger.warning("%s %s: %s", request.method, request.url.path, meant or describe(error))
    return _later(request, DatabaseAway())


async def _failed(request: Request, _: Exception) -> JSONResponse:
    """Starlette raises the error again after this answer, and the server logs it."""
    return problem(request, ServiceFailed())


def _later(request: Request, error: Temporary) -> JSONResponse:
    return problem(request, error, {"Retry-After": str(RETRY_AFTER_S)})
