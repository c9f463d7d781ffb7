"""Following how many approvals wait, on whichever replica says it."""

import asyncio

import grpc
import orjson

from turnpike.api.agent_runtime.v1.approval_service_pb2 import (
    WatchInboxRequest,
    WatchInboxResponse,
)
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import ApprovalServiceStub
from turnpike.gateway.calls import Call
from turnpike.gateway.events import RETRY
from turnpike.gateway.logs import LogInterruptedError, Stream
from turnpike.rpc.errors import ServiceError


class Inbox:
    """What waits, as the frames of an event stream: each says all, so none has a number."""

    resumable = True
    ended = False

    def __init__(
        self, call: Call, approvals: ApprovalServiceStub, stream: Stream, first: WatchInboxResponse
    ) -> None:
        self._call = call
        self._approvals = approvals
        self._stream = stream
        self._told = first

    def opening(self) -> bytes:
        """Returns how long to wait before connecting again, and what waits now."""
        return RETRY + _frame(self._told)

    async def read(self) -> bytes:
        """Returns what waits once that has changed; raises `LogInterruptedError`."""
        while True:
            waiting = await self._next()
            if waiting != self._told:
                self._told = waiting
                return _frame(waiting)

    async def at_rest(self) -> bytes:
        """Returns nothing: it goes on."""
        return b""

    def close(self) -> None:
        """Hangs up."""
        self._stream.cancel()

    async def _next(self) -> WatchInboxResponse:
        try:
            async with asyncio.timeout(self._call.patience.silence.total_seconds()):
                response = await self._stream.read()
        except (grpc.aio.AioRpcError, TimeoutError):
            response = None
        if isinstance(response, WatchInboxResponse):
            return response
        self._stream.cancel()
        try:
            self._stream, first = await _open(self._call, self._approvals)
        except (grpc.aio.AioRpcError, ServiceError, TimeoutError) as error:
            raise LogInterruptedError("inbox") from error
        return first


async def watch_inbox(call: Call, approvals: ApprovalServiceStub) -> Inbox:
    """Returns what waits for who calls, from now on."""
    return Inbox(call, approvals, *await _open(call, approvals))


async def _open(call: Call, approvals: ApprovalServiceStub) -> tuple[Stream, WatchInboxResponse]:
    async def attempt() -> tuple[Stream, WatchInboxResponse]:
        stream = approvals.WatchInbox(WatchInboxRequest(), metadata=await call.metadata())
        async with asyncio.timeout(call.patience.answer.total_seconds()):
            response = await stream.read()
        if not isinstance(response, WatchInboxResponse):
            # Ended without a word, which no version of the contract does.
            raise TimeoutError
        return stream, response

    return await call.retried(attempt)


def _frame(waiting: WatchInboxResponse) -> bytes:
    document = {
        "type": "inbox",
        "pending": waiting.pending,
        "mine": waiting.mine,
        "newest": waiting.newest or None,
    }
    return b"event: inbox\ndata: " + orjson.dumps(document) + b"\n\n"
