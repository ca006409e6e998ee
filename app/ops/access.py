"""Who may see what operators see: whoever has a key of the scope `ops`; in development everybody.

The key comes as `Authorization: Bearer KEY` or as the password of HTTP Basic, with any name: so a
browser asks for it, and Prometheus can send it. Basic is taken here and nowhere else. A browser
sends it by itself, also when another site leads it here, and what is here only answers.

A key is looked up in the database. While that cannot be asked, one that was in force within
REMEMBERED_S is taken for in force: that is when there is most to see.
"""

from __future__ import annotations

import hashlib
import time
from typing import Annotated

import anyio
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBasic, HTTPBasicCredentials

from app.errors import KeyMissing, KeyUnknown, ScopeMissing
from app.keys.bearer import scheme
from app.keys.repository import has_scope, recognise
from surefoot.connect.failures import DATABASE_ERRORS, UNDEFINED_COLUMN, UNDEFINED_TABLE, sqlstate
from surefoot.startup.check import TIMEOUT_S

SCOPE = "ops"
REMEMBERED_S = 600.0
CHALLENGE = 'Basic realm="vegafs: as the password, an API key of scope ops", charset="UTF-8"'

basic = HTTPBasic(
    scheme_name="basic",
    description="An API key of the scope `ops` as the password, with any name.",
    auto_error=False,
)


async def require_ops(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)],
    login: Annotated[HTTPBasicCredentials | None, Depends(basic)],
) -> None:
    """Let the request through if its key has the scope, or if this is development.

    On failure: KeyMissing, KeyUnknown, ScopeMissing; of a key that nobody remembers, whatever the
    database meets.
    """
    if request.app.state.settings.environment == "development":
        return
    request.state.challenge = CHALLENGE
    key = bearer.credentials if bearer is not None else login.password if login else ""
    if not key:
        raise KeyMissing
    remembered: dict[bytes, float] = request.app.state.ops_keys
    digest = hashlib.sha256(key.encode()).digest()
    try:
        with anyio.fail_after(TIMEOUT_S):
            await _ask(request, key)
    except (KeyUnknown, ScopeMissing):
        remembered.pop(digest, None)
        raise
    except DATABASE_ERRORS:
        if time.monotonic() - remembered.get(digest, -REMEMBERED_S) >= REMEMBERED_S:
            raise
        return
    remembered[digest] = time.monotonic()


async def _ask(request: Request, key: str) -> None:
    try:
        async with request.app.state.sessions.begin() as session:
            name = await recognise(session, key)
            if not await has_scope(session, key, SCOPE):
                raise ScopeMissing(name, SCOPE)
    except DATABASE_ERRORS as error:
        # A schema older than what the key needs: there it cannot have been made.
        if sqlstate(error) == UNDEFINED_TABLE:
            raise KeyUnknown from error
        if sqlstate(error) == UNDEFINED_COLUMN:
            raise ScopeMissing("of this request", SCOPE) from error
        raise
