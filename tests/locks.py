"""Who waits for a lock; and having calls wait for one, to see whether they wait in a ring."""

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

_HELD_UP = (
    "SELECT count(*) >= $2 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database() AND query LIKE $1"
)


async def held_up(
    connection: asyncpg.Connection | asyncpg.Pool,
    statement: str = "",
    *,
    by: int = 1,
    seconds: float = 15,
) -> None:
    """Returns when so many wait for a lock with a statement that has this in it."""

    async def enough() -> bool:
        # A transaction sees the same activity all along unless it says so.
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        return await connection.fetchval(_HELD_UP, f"%{statement}%", by)

    await until(enough, seconds)


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
