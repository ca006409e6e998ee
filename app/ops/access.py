"""The page and the metrics need a key of scope `ops`; in development everybody may see them.

The key comes as `Authorization: Bearer KEY` or as the password of HTTP Basic, with any user name,
so that a browser asks for it and Prometheus can send it. Only these paths accept Basic: a browser
sends it without being asked, also when another site links here, and these paths change nothing.

Keys are looked up in the database. While it does not answer, a key that was valid within the last
REMEMBERED_S is accepted: operators need the page most at that time.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress

import anyio
from fastapi import Request
from fastapi.security import HTTPBasic

from app.errors import KeyMissing, KeyUnknown, ScopeMissing
from app.keys.bearer import scheme
from app.keys.repository import has_scope, recognise
from surefoot.connect import DATABASE_ERRORS, UNDEFINED_COLUMN, UNDEFINED_TABLE, sqlstate
from surefoot.startup import TIMEOUT_S

SCOPE = "ops"
REMEMBERED_S = 600.0
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
    remembered: dict[bytes, float] = request.app.state.ops_keys
    digest = hashlib.sha256(key.encode()).digest()
    try:
        with anyio.fail_after(TIMEOUT_S):
            await _check(request, key)
    except (KeyUnknown, ScopeMissing):
        remembered.pop(digest, None)
        raise
    except DATABASE_ERRORS:
        if time.monotonic() - remembered.get(digest, -REMEMBERED_S) >= REMEMBERED_S:
            raise
        return
    remembered[digest] = time.monotonic()


async def knows_key(request: Request) -> bool:
    """Whether the request has a valid key of any scope, or this is development.

    False where the database does not answer: /readyz answers all the same.
    """
    if request.app.state.settings.environment == "development":
        return True
    bearer = await scheme(request)
    if bearer is None:
        return False
    with anyio.move_on_after(TIMEOUT_S), suppress(KeyUnknown, *DATABASE_ERRORS):
        async with request.app.state.sessions.begin() as session:
            await recognise(session, bearer.credentials)
            return True
    return False


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
