"""A network between a run and its server, which can go dead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress

from surefoot.connect.url import DatabaseUrl


class Network:
    """Forwards connections to the server until `cut` is called; from then on nothing arrives."""

    def __init__(self, url: str) -> None:
        self._url = DatabaseUrl.parse(url)
        self._alive, self._ends = asyncio.Event(), asyncio.Event()
        self._alive.set()
        self._ends.set()
        self._pipes: list[asyncio.Task[None]] = []
        self._unanswered: list[asyncio.StreamWriter] = []
        self.url = ""
        # Bytes and others of the same length, which replace them in what arrives.
        self.replaced: Mapping[bytes, bytes] = {}

    def cut(self) -> None:
        """No byte is forwarded any more, and neither end of a connection hears of it."""
        self._alive.clear()

    @contextmanager
    def ends_held(self) -> Iterator[None]:
        """In the block the bytes that are sent arrive, and the end of a connection does not."""
        self._ends.clear()
        try:
            yield
        finally:
            self._ends.set()

    @asynccontextmanager
    async def up(self) -> AsyncIterator[Network]:
        """The network, for the block; `url` leads through it."""
        listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        self.url = f"postgresql://{self._url.user}@127.0.0.1:{port}/{self._url.database}"
        try:
            yield self
        finally:
            listener.close()
            for writer in self._unanswered:
                writer.close()
            for pipe in self._pipes:
                pipe.cancel()
            await asyncio.gather(*self._pipes, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._alive.is_set():
            self._unanswered.append(writer)
            return
        ((host, port),) = self._url.hosts
        if host.startswith("/"):
            to = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            to = await asyncio.open_connection(host, port)
        for source, target in ((reader, to[1]), (to[0], writer)):
            self._pipes.append(asyncio.create_task(self._forward(source, target)))

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(1 << 16):
                    await self._alive.wait()
                    for each, instead in self.replaced.items():
                        data = data.replace(each, instead)
                    target.write(data)
                    await target.drain()
                await self._alive.wait()
                await self._ends.wait()
        finally:
            target.close()
