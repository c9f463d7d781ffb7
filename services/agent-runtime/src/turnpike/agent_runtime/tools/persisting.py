"""Asking a service again that went away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from turnpike.rpc.errors import RemoteError, from_rpc_error

T = TypeVar("T")

RETRY_SECONDS = 0.25
"""How long to wait before it is asked again."""


async def persist(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Calls until the registry answers, or has not done so for a while."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + seconds
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error)
            if not may_pass(failure) or loop.time() > give_up_at:
                raise failure from error
        await asyncio.sleep(RETRY_SECONDS)


def may_pass(error: RemoteError) -> bool:
    """Says whether the service may answer when it is asked again."""
    return error.code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    )
