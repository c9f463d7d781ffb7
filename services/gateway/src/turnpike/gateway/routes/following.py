"""Starting a turn for a caller that waits for what comes of it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

import grpc

from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.gateway.calls import Call, Names
from turnpike.gateway.logs import Log, LogInterruptedError, run
from turnpike.gateway.metrics import EVENTS
from turnpike.gateway.problems import of_remote
from turnpike.gateway.routes.turn_source import PAUSES, interrupted
from turnpike.rpc.errors import from_rpc_error

Tell = Callable[[Sequence[Event]], Awaitable[None]]
"""Told what is in a turn's log, as it comes."""

_STATUS_SECONDS = 1.0


async def started(
    call: Call, turns: TurnServiceStub, request: pb.StartTurnRequest, names: Names
) -> tuple[Turn, Log]:
    """Starts a turn; raises `ProblemError` with fields as `names` has them."""
    try:
        return await run(call, turns, request)
    except grpc.aio.AioRpcError as error:
        raise of_remote(from_rpc_error(error), names) from error


async def awaited(
    call: Call, turns: TurnServiceStub, turn: Turn, log: Log, tell: Tell, *, patient: bool = False
) -> Turn:
    """Returns a turn once it has ended, or waits for somebody to do something.

    Args:
        call: The way to the services.
        turns: Where the turn is.
        turn: The turn.
        log: Its log from event 1; closed at the end.
        tell: Told the events.
        patient: Whether to wait for that somebody too.

    Raises:
        ProblemError: The log cannot be followed now; the turn goes on.
    """

    async def look() -> Turn:
        return (await call.read(turns.GetTurn, pb.GetTurnRequest(turn=turn.id))).turn

    try:
        async with aclosing(_batches(log, look, patient=patient)) as batches:
            async for events in batches:
                EVENTS.inc(len(events))
                await tell(events)
    except LogInterruptedError:
        raise interrupted({"turn": turn.id}) from None
    finally:
        log.close()
    return await look()


async def _batches(
    log: Log, look: Callable[[], Awaitable[Turn]], *, patient: bool
) -> AsyncGenerator[Sequence[Event]]:
    yield log.take()
    while not log.ended:
        reading = asyncio.ensure_future(log.read())
        try:
            while not (await asyncio.wait({reading}, timeout=_STATUS_SECONDS))[0]:
                if not patient and (await look()).waiting_for in PAUSES:
                    return
            yield reading.result()
        finally:
            reading.cancel()
