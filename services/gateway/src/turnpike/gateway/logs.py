"""Following a turn's log, on whichever replica serves it."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeAlias

import grpc

from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2 import (
    RunTurnRequest,
    RunTurnResponse,
    StartTurnRequest,
    StartTurnResponse,
    WatchTurnRequest,
    WatchTurnResponse,
)
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.gateway.calls import Call, backoff
from turnpike.gateway.metrics import REATTACHMENTS
from turnpike.rpc.errors import ServiceError, UnauthenticatedError

logger = logging.getLogger(__name__)

Stream: TypeAlias = "grpc.aio.UnaryStreamCall[Any, Any]"
Attachment: TypeAlias = "tuple[Stream, Any]"
"""A stream, and its first response."""

# An attachment that lived for so long was a good one; its loss is a new one.
_GOOD_ATTACHMENT = 5.0

# How a call ends whose replica died, drains or was replaced, as opposed to a
# call that was answered.
_LOSSES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)


class LogInterruptedError(Exception):
    """No replica shows the log now; the reader may come again."""


class Log:
    """A turn's log from a number on.

    What it returns is one unbroken reading, though the replicas that serve it
    come and go: it attaches again after the last number that it returned.
    """

    def __init__(
        self,
        call: Call,
        turns: TurnServiceStub,
        turn: str,
        after: int,
        attachment: Attachment,
    ) -> None:
        self.turn = turn
        self._call = call
        self._turns = turns
        self._patience = call.patience
        self._seq = after
        self._ended = False
        self._lost_at = 0.0
        self._tries = 0
        self._attach(attachment)

    @property
    def ended(self) -> bool:
        """Whether everything was returned, the terminal event included."""
        return self._ended

    @property
    def seq(self) -> int:
        """The number of the last event returned."""
        return self._seq

    def close(self) -> None:
        """Hangs up; the turn goes on."""
        self._stream.cancel()

    def take(self) -> Sequence[Event]:
        """Returns the events that came with the first response."""
        events, self._pending = self._pending, ()
        self._advance(events)
        return events

    async def read(self) -> Sequence[Event]:
        """Returns the next events, or none after the terminal one.

        Raises:
            LogInterruptedError: No replica shows it, for as long as is sensible.
        """
        while not self._ended:
            events = self.take() or await self._next()
            if events:
                self._advance(events)
                return events
        return ()

    def _attach(self, attachment: Attachment) -> None:
        self._stream, first = attachment
        self._pending: Sequence[Event] = first.events
        self._attached_at = asyncio.get_running_loop().time()
        if isinstance(first, WatchTurnResponse) and first.exhausted:
            self._ended = True

    def _advance(self, events: Sequence[Event]) -> None:
        if not events:
            return
        self._seq = events[-1].seq
        self._ended = events[-1].HasField("turn_finished")
        self._tries = 0

    async def _next(self) -> Sequence[Event]:
        try:
            async with asyncio.timeout(self._patience.silence.total_seconds()):
                response = await self._stream.read()
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            await self._attach_again(error)
            return ()
        if isinstance(response, (RunTurnResponse, WatchTurnResponse)):
            return response.events
        await self._attach_again(None)
        return ()

    async def _attach_again(self, cause: Exception | None) -> None:
        """Attaches to a replica that lives, after the last number returned."""
        now = asyncio.get_running_loop().time()
        if not self._tries or now - self._attached_at > _GOOD_ATTACHMENT:
            self._lost_at, self._tries = now, 0
        while True:
            await self._wait_for_next_try(cause)
            try:
                attachment = await _open_watch(
                    self._call, self._turns, self.turn, self._seq, self._patience.reattachment
                )
            except (grpc.aio.AioRpcError, ServiceError, TimeoutError) as error:
                cause = error
            else:
                REATTACHMENTS.inc()
                self._attach(attachment)
                return

    async def _wait_for_next_try(self, cause: Exception | None) -> None:
        lost_for = asyncio.get_running_loop().time() - self._lost_at
        if not _is_loss(cause) or lost_for > self._patience.loss.total_seconds():
            logger.warning("lost the log of turn %s after %d: %r", self.turn, self._seq, cause)
            raise LogInterruptedError(self.turn) from cause
        if self._tries:
            await asyncio.sleep(backoff(self._tries))
        self._tries += 1


async def watch(call: Call, turns: TurnServiceStub, turn: str, after: int) -> Log:
    """Returns a turn's log after a number."""
    attachment = await call.retried(
        lambda: _open_watch(call, turns, turn, after, call.patience.answer)
    )
    return Log(call, turns, turn, after, attachment)


async def run(call: Call, turns: TurnServiceStub, request: StartTurnRequest) -> tuple[Turn, Log]:
    """Starts a turn, and returns it with its log from event 1.

    The request has an id, so that a replica's death before it answered is no
    reason to start it twice, or not at all.
    """

    async def attempt() -> Attachment:
        stream = turns.RunTurn(RunTurnRequest(start=request), metadata=await call.metadata())
        return stream, await _first_response(stream, call.patience.answer)

    attachment = await call.retried(attempt)
    turn: Turn = attachment[1].turn
    return turn, Log(call, turns, turn.id, 0, attachment)


async def start(call: Call, turns: TurnServiceStub, request: StartTurnRequest) -> StartTurnResponse:
    """Starts a turn, or returns the one that this request started before."""

    async def attempt() -> StartTurnResponse:
        timeout = call.patience.answer.total_seconds()
        return await turns.StartTurn(request, metadata=await call.metadata(), timeout=timeout)

    return await call.retried(attempt)


def _is_loss(error: Exception | None) -> bool:
    """Tells a call that was lost from one that was answered."""
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code() in _LOSSES
    return not isinstance(error, UnauthenticatedError)


async def _open_watch(
    call: Call, turns: TurnServiceStub, turn: str, after: int, deadline: timedelta
) -> Attachment:
    request = WatchTurnRequest(turn=turn, after=after)
    stream = turns.WatchTurn(request, metadata=await call.metadata())
    return stream, await _first_response(stream, deadline)


async def _first_response(stream: Stream, deadline: timedelta) -> Any:
    async with asyncio.timeout(deadline.total_seconds()):
        response = await stream.read()
    if response is grpc.aio.EOF:
        # Ended without a word, which no version of the contract does.
        raise TimeoutError
    return response
