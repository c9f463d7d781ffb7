"""Cutting off readers who take nothing."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import TypeVar

from grpc_status import rpc_status

from turnpike.rpc.errors import UnavailableError, to_status
from turnpike.rpc.served import Context

T = TypeVar("T")

STALLED = timedelta(seconds=30)
"""How long a reader may take for one response."""

_DOMAIN = "agent-runtime.turnpike"

# They end when their callers read again, or are gone; nobody else holds them.
_cuts: set[asyncio.Task[None]] = set()


async def unless_stalled(
    responses: AsyncGenerator[T], context: Context, patience: timedelta = STALLED
) -> AsyncGenerator[T]:
    """Yields responses to a call; ends it with UNAVAILABLE when its caller reads none of them.

    What a caller does not read stays in Postgres and Redis, one response apart; but a
    call without end would be served for ever.
    """
    loop = asyncio.get_running_loop()
    serving = asyncio.current_task()
    async with aclosing(responses):
        async for response in responses:
            timer = loop.call_later(patience.total_seconds(), _cut, context, serving)
            try:
                yield response
            finally:
                timer.cancel()


def _cut(context: Context, serving: "asyncio.Task[object] | None") -> None:
    # The call's own task waits inside gRPC, which has the status to send as soon as
    # anything is read again.
    cut = asyncio.get_running_loop().create_task(_abort(context))
    _cuts.add(cut)
    cut.add_done_callback(_cuts.discard)
    if serving is not None:
        serving.cancel()


async def _abort(context: Context) -> None:
    error = UnavailableError("nothing was read for too long; go on after the last number seen")
    # Raises what ends a servicer, or says that the caller is gone.
    with suppress(Exception):
        await context.abort_with_status(rpc_status.to_status(to_status(error, _DOMAIN)))
