"""Connections to Redis, which neither wait long nor lose a cancellation."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_CONNECT_SECONDS = 1.0


class CancellableConnection(Connection):
    """A connection whose user can be cancelled at any moment.

    The library writes inside `asyncio.wait_for`, which before Python 3.12 forgets
    a cancellation that comes as the write ends; the task then goes on for ever. It
    also makes a task of each write, which costs more than the write: what an idle
    socket is given is not waited for, only its answer is.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Writes a command, or raises `CancelledError` also in that case."""
        writer = self._idle_writer()
        if writer is not None and not isinstance(command, bytes | str):
            writer.writelines(command)
            return
        before = _cancellations()
        await super().send_packed_command(command, check_health)
        if _cancellations() > before:
            # Nobody will read the answer: the next command must not.
            await self.disconnect(nowait=True)
            raise asyncio.CancelledError

    def _idle_writer(self) -> asyncio.StreamWriter | None:
        """Returns the writer where all that it was given has left."""
        writer = self._writer
        if writer is None or writer.is_closing() or self.health_check_interval:
            return None
        return None if writer.transport.get_write_buffer_size() else writer


def open_redis(
    url: str, *, connections: int = 64, timeout: timedelta = timedelta(seconds=2)
) -> Redis:
    """Returns a client on `url`; nothing is connected yet.

    A command that finds every connection taken waits for one, as it waits for
    Redis: no longer than `timeout`. A connection that died is replaced once.
    """
    seconds = timeout.total_seconds()
    pool = BlockingConnectionPool.from_url(
        url,
        connection_class=CancellableConnection,
        max_connections=connections,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=min(seconds, _CONNECT_SECONDS),
        # The library's own retries would make a Redis that is away look slow.
        retry=Retry(NoBackoff(), 1),
    )
    return Redis.from_pool(pool)


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0
