"""Event streams: one writer for each, one write for what arrived together."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, cast

from starlette.types import Receive, Send

from turnpike.gateway.events import DRAINING, HEARTBEAT, RETRY, write_frames
from turnpike.gateway.logs import Log, LogInterruptedError
from turnpike.gateway.metrics import EVENTS, STREAM_ENDS, STREAMS


class End(Enum):
    """Why a stream ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    GONE = "client_gone"
    STALLED = "client_stalled"
    DRAINED = "drained"


class Streams:
    """The event streams that are open in this process."""

    def __init__(self, *, heartbeat: timedelta, stall: timedelta) -> None:
        self._heartbeat = heartbeat.total_seconds()
        self._stall = stall.total_seconds()
        self._open: set[_Stream] = set()

    def drain(self) -> None:
        """Ends every stream such that its reader connects again, elsewhere."""
        for stream in self._open:
            stream.end(End.DRAINED)

    async def serve(
        self, log: Log, receive: Receive, send: Send, headers: Mapping[str, str]
    ) -> None:
        """Writes a log to a client until its terminal event.

        What the client is slow to read waits in the services, not here; one
        that takes nothing at all for too long is cut off. The turn goes on,
        however the stream ends.
        """
        stream = _Stream(send)
        watcher = asyncio.create_task(stream.watch(receive, self._heartbeat, self._stall))
        self._open.add(stream)
        STREAMS.inc()
        try:
            await stream.run(log, headers)
        except asyncio.CancelledError:
            if stream.why is None or stream.task.uncancel() > 0:
                raise
        finally:
            watcher.cancel()
            log.close()
            self._open.discard(stream)
            STREAMS.dec()
        why = stream.why or End.FINISHED
        STREAM_ENDS.labels(why.value).inc()
        if why is End.DRAINED:
            await stream.write(DRAINING, more=False)


class _Stream:
    """One stream and its client."""

    def __init__(self, send: Send) -> None:
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

    async def run(self, log: Log, headers: Mapping[str, str]) -> None:
        await self._send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        events = log.take()
        EVENTS.inc(len(events))
        await self.write(RETRY + write_frames(events, log.turn), more=not log.ended)
        try:
            while not log.ended:
                events = await log.read()
                EVENTS.inc(len(events))
                await self.write(write_frames(events, log.turn), more=not log.ended)
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
                    await self.write(HEARTBEAT, more=True)
            except TimeoutError:
                self.end(End.STALLED)
