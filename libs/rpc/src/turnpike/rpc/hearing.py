"""Hearing callers out before a call of theirs is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

_SILENCE_SECONDS = 0.25
_LONGEST_SECONDS = 2.0


async def hear_out(requests: AsyncIterator[Any]) -> None:
    """Reads on until the caller of a stream has ended, pauses, or has spoken for two seconds.

    A status that ends a call which is still written to may never be seen: clients of
    grpc.aio whose write fails are told INTERNAL in its place (grpc/grpc#36066).
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST_SECONDS):
            while await _has_next(requests):
                pass


async def hear_upload(requests: AsyncIterator[Any], most: int) -> None:
    """Reads on through pauses until an upload ends, or `most` more bytes of `chunk` have come.

    Who passes an upload on pauses for as long as whoever it comes from does.
    """
    async for request in requests:
        most -= len(request.chunk)
        if most < 0:
            return


async def _has_next(requests: AsyncIterator[Any]) -> bool:
    async with asyncio.timeout(_SILENCE_SECONDS):
        try:
            await anext(requests)
        except StopAsyncIteration:
            return False
        return True
