"""Waiting for what comes about by itself, and for how a call fails."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable

import grpc
import pytest

from turnpike.rpc.errors import RemoteError, from_rpc_error


async def until(
    condition: Callable[[], bool | Awaitable[bool]], seconds: float = 15, *, every: float = 0.005
) -> None:
    """Returns when a condition holds; fails if it does not in time.

    One that costs much is looked at less often than `every` few milliseconds.
    """
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(every)


async def refusal(call: Awaitable[object]) -> RemoteError:
    """Returns what a call is refused with."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return from_rpc_error(refused.value)
