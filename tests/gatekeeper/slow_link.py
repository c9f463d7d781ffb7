"""A link to Postgres or Redis that delays what comes back, and counts it."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

# Postgres has answered all that it was sent, and is idle.
READY = b"Z\x00\x00\x00\x05I"


class SlowLink:
    """Passes bytes on, those that come back a random moment later."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        self._target = (host, port)
        self._random = random.Random(seed)
        self.most_seconds = 0.0
        self.round_trips = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Joins a client with the target until either hangs up."""
        try:
            back, forth = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, forth, delays=False))
                group.create_task(self._pass(back, writer, delays=True))
        except* (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            forth.close()
            writer.close()

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, delays: bool
    ) -> None:
        while piece := await source.read(65536):
            if delays:
                self.round_trips += piece.count(READY)
                await asyncio.sleep(self._random.uniform(0, self.most_seconds))
            sink.write(piece)
            await sink.drain()
        sink.close()


@asynccontextmanager
async def slow_link(url: str, seed: int) -> AsyncGenerator[tuple[SlowLink, str]]:
    """Gives a link to what a URL names, and the URL that leads through it."""
    parts = urlsplit(url)
    link = SlowLink(parts.hostname or "", parts.port or 0, seed)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    host = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    async with server:
        yield link, urlunsplit(parts._replace(netloc=f"{host}127.0.0.1:{port}"))
