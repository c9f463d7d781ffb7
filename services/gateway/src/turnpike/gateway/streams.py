"""Streams: one writer for each, one write for what arrived together."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Protocol, cast

from starlette.types import Receive, Send

from turnpike.gateway.events import DRAINING, HEARTBEAT
from turnpike.gateway.logs import LogInterruptedError
from turnpike.gateway.metrics import STREAM_ENDS, STREAMS


class End(Enum):
    """Why a stream ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    GONE = "client_gone"
    STALLED = "client_stalled"
    DRAINED = "drained"
    AT_REST = "at_rest"


class Source(Protocol):
    """What a stream is made of, as the bytes that its client is sent."""

    resumable: bool
    """Whether its reader can go on elsewhere; what cannot be resumed is not cut by a drain."""

    @property
    def ended(self) -> bool:
        """Whether everything was returned."""
        ...

    def opening(self) -> bytes:
        """Returns what is there already, to be sent with the headers."""
        ...

    async def read(self) -> bytes:
        """Returns what comes next; raises `LogInterruptedError` where it breaks off."""
        ...

    async def at_rest(self) -> bytes:
        """Returns how to end after a silence, or nothing where the stream goes on."""
        ...

    def close(self) -> None:
        """Hangs up."""
        ...


class Streams:
    """The streams that are open in this process."""

    def __init__(self, *, heartbeat: timedelta, stall: timedelta) -> None:
        self._heartbeat = heartbeat.total_seconds()
        self._stall = stall.total_seconds()
        self._open: set[_Stream] = set()

    def drain(self) -> None:
        """Ends every stream such that its reader connects again, elsewhere."""
        for stream in self._open:
            if stream.source.resumable:
                stream.end(End.DRAINED)

    async def serve(
        self, source: Source, receive: Receive, send: Send, headers: Mapping[str, str]
    ) -> None:
        """Writes a source to a client until its end.

        What the client is slow to read waits in the services, not here; one
        that takes nothing at all for too long is cut off.
        """
        stream = _Stream(send, source)
        watcher = asyncio.create_task(stream.watch(receive, self._heartbeat, self._stall))
        self._open.add(stream)
        STREAMS.inc()
        try:
            await stream.run(headers)
        except asyncio.CancelledError:
            if stream.why is None or stream.task.uncancel() > 0:
                raise
        finally:
            watcher.cancel()
            source.close()
            self._open.discard(stream)
            STREAMS.dec()
        why = stream.why or End.FINISHED
        STREAM_ENDS.labels(why.value).inc()
        if why is End.DRAINED:
            await stream.write(DRAINING, more=False)


class _Stream:
    """One stream and its client."""

    def __init__(self, send: Send, source: Source) -> None:
        self.source = source
        self.task = cast("asyncio.Task[Any]", asyncio.current_task())
        self.why: End | None = None
        self._send = send
        self._time = asyncio.get_running_loop().time
        self._written_at = self._time()
        self._writing = False

    def end(self, why: End) -> None:
        """Stops the writer, unless it was stopped before."""
        if self.why is None:
            self.why = why
            self.task.cancel()

    async def run(self, headers: Mapping[str, str]) -> None:
        source = self.source
        await self._send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await self.write(source.opening(), more=not source.ended)
        try:
            while not source.ended:
                body = await source.read()
                # Nothing to write is no sign of life for the client.
                if body or source.ended:
                    await self.write(body, more=not source.ended)
        except LogInterruptedError:
            self.why = End.INTERRUPTED
            await self.write(b"", more=False)

    async def write(self, body: bytes, *, more: bool) -> None:
        self._written_at = self._time()
        self._writing = True
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._writing = False

    async def watch(self, receive: Receive, heartbeat: float, stall: float) -> None:
        """Sees that the client hangs up, takes nothing, or hears nothing."""
        while True:
            try:
                async with asyncio.timeout(self._written_at + heartbeat - self._time()):
                    message = await receive()
            except TimeoutError:
                await self._tick(heartbeat, stall)
            else:
                if message["type"] == "http.disconnect":
                    self.end(End.GONE)
                    return

    async def _tick(self, heartbeat: float, stall: float) -> None:
        silence = self._time() - self._written_at
        if self._writing:
            if silence >= stall:
                self.end(End.STALLED)
            # Look again soon: the write may end, or the client be given up.
            await asyncio.sleep(min(heartbeat, stall) / 4)
        elif silence >= heartbeat:
            try:
                async with asyncio.timeout(stall):
                    await self._break_silence()
            except TimeoutError:
                self.end(End.STALLED)

    async def _break_silence(self) -> None:
        last = await self.source.at_rest()
        await self.write(last or HEARTBEAT, more=not last)
        if last:
            self.end(End.AT_REST)
