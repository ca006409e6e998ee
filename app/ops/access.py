"""The page and the metrics need a key of scope `ops`; in development everybody may see them.

The key comes as `Authorization: Bearer KEY` or as the password of HTTP Basic, with any user name,
so that a browser asks for it and Prometheus can send it. Only these paths accept Basic: a browser
sends it without being asked, also when another site links here, and these paths change nothing.

Keys are looked up in the database. While it does not answer, a key that was valid within the last
REMEMBERED_S is accepted: operators need the page, and the reason on /readyz, most at that time.
"""

from __future__ import annotations

import hashlib
import time

import anyio
from fastapi import Request
from fastapi.security import HTTPBasic

from app.errors import KeyMissing, KeyUnknown, ScopeMissing
from app.keys.bearer import scheme
from app.keys.repository import has_scope, recognise
from surefoot.connect import DATABASE_ERRORS, UNDEFINED_COLUMN, UNDEFINED_TABLE, sqlstate
from surefoot.errors import DatabaseUnreachable
from surefoot.startup import TIMEOUT_S

SCOPE = "ops"
REMEMBERED_S = 600.0
PROBE_TIMEOUT_S = 0.5
CHALLENGE = 'Basic realm="vegafs: as the password, an API key of scope ops", charset="UTF-8"'

basic = HTTPBasic(
    scheme_name="basic",
    description="An API key of scope `ops` as the password, with any user name.",
    auto_error=False,
)


async def require_ops(request: Request) -> None:
    """Let the request through if its key has the scope, or in development.

    On failure: KeyMissing, KeyUnknown, ScopeMissing; a database error for a key that is not
    remembered.
    """
    if request.app.state.settings.environment == "development":
        return
    request.state.challenge = CHALLENGE
    key = await _key(request)
    if not key:
        raise KeyMissing
    memory = _Memory(request, key, SCOPE)
    try:
        with anyio.fail_after(TIMEOUT_S):
            await _check(request, key)
    except (KeyUnknown, ScopeMissing):
        memory.forget()
        raise
    except DATABASE_ERRORS:
        if not memory.is_fresh():
            raise
        return
    memory.keep()


async def knows_key(request: Request) -> bool:
    """Whether the request has a valid key of any scope, or this is development.

    While the database does not answer it is not asked: /readyz answers at once.
    """
    if request.app.state.settings.environment == "development":
        return True
    bearer = await scheme(request)
    if bearer is None:
        return False
    memory = _Memory(request, bearer.credentials)
    if isinstance(request.app.state.watch.verdict.error, DatabaseUnreachable):
        return memory.is_fresh()
    try:
        with anyio.fail_after(PROBE_TIMEOUT_S):
            async with request.app.state.sessions.begin() as session:
                await recognise(session, bearer.credentials)
    except KeyUnknown:
        memory.forget()
        return False
    except DATABASE_ERRORS:
        return memory.is_fresh()
    memory.keep()
    return True


class _Memory:
    """Whether a key was valid a while ago, for a scope or for any."""

    def __init__(self, request: Request, key: str, scope: str = "") -> None:
        self._times: dict[bytes, float] = request.app.state.remembered_keys
        self._digest = hashlib.sha256(f"{scope} {key}".encode()).digest()

    def keep(self) -> None:
        self._times[self._digest] = time.monotonic()

    def forget(self) -> None:
        self._times.pop(self._digest, None)

    def is_fresh(self) -> bool:
        return time.monotonic() - self._times.get(self._digest, -REMEMBERED_S) < REMEMBERED_S


async def _key(request: Request) -> str:
    if bearer := await scheme(request):
        return bearer.credentials
    login = await basic(request)
    return login.password if login else ""


async def _check(request: Request, key: str) -> None:
    try:
        async with request.app.state.sessions.begin() as session:
            name = await recognise(session, key)
            if not await has_scope(session, key, SCOPE):
                raise ScopeMissing(name, SCOPE)
    except DATABASE_ERRORS as error:
        # The schema is older than keys or scopes, so no such key can have been made.
        if sqlstate(error) == UNDEFINED_TABLE:
            raise KeyUnknown from error
        if sqlstate(error) == UNDEFINED_COLUMN:
            raise ScopeMissing("of this request", SCOPE) from error
        raise
