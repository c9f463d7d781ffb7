"""Having calls wait for a lock, one behind the other, to see whether they wait in a ring."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.waiting import until

_WAITING = (
    "SELECT count(DISTINCT pid) FROM pg_locks"
    " WHERE NOT granted AND locktype IN ('transactionid', 'tuple', 'advisory')"
)


class Queue:
    """Calls that wait one behind the other."""

    def __init__(self, holder: Any) -> None:
        self._holder = holder
        self._calls: list[asyncio.Future[object]] = []

    async def join(self, call: Awaitable[object]) -> None:
        """Begins a call; returns once it waits."""
        self._calls.append(asyncio.ensure_future(call))

        async def waits() -> bool:
            return await self._holder.fetchval(_WAITING) >= len(self._calls)

        await until(waits)

    async def outcomes(self) -> list[Any]:
        """Returns what each call returns or raises."""
        return await asyncio.gather(*self._calls, return_exceptions=True)


@asynccontextmanager
async def queue(
    holder: asyncpg.Connection, statement: str, *values: object
) -> AsyncGenerator[Queue]:
    """Holds a lock that the calls want, until the block ends."""
    async with holder.transaction():
        await holder.fetch(statement, *values)
        yield Queue(holder)
