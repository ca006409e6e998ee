"""BodyLimit refuses the body of a request that is too large, before the rest of it is read.

The largest body that the API reads is a job of a few hundred bytes. Without a limit a client could
fill the memory of the service, also one without a key: the body is read before the key is checked.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTooLarge
from app.problems import problem

MAX_BYTES = 1_048_576


class BodyLimit:
    """An ASGI application in front of another one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        received, begun, refused = 0, False, False

        async def refuse() -> None:
            nonlocal refused
            refused = True
            # The connection cannot be used again: the rest of the body is still on its way.
            answer = problem(Request(scope), BodyTooLarge(MAX_BYTES), {"Connection": "close"})
            await answer(scope, receive, send)

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BYTES and not begun and not refused:
                await refuse()
            return {"type": "http.disconnect"} if refused else message

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            if not refused:
                await send(message)

        if declared.isdigit() and int(declared) > MAX_BYTES:
            await refuse()
        else:
            await self.app(scope, counted, sent)
