"""Words between replicas: hints that only save waiting.

A signal that is lost delays by a second at most, since the lease's renewal
brings back what it said.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

_POLL_SECONDS = 5.0
_EVERYBODY = "agent-runtime:signals"


class Signals:
    """Sends and hears signals of replicas."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def cancel(self, owner: UUID, turn: UUID) -> None:
        """Tells the owner of a turn that it is to be cancelled."""
        await self._send(_channel(owner), turn.hex)

    async def due(self) -> None:
        """Tells every replica that a turn is due."""
        await self._send(_EVERYBODY, "due")

    async def listen(
        self, owner: UUID, *, on_cancel: Callable[[UUID], None], on_due: Callable[[], None]
    ) -> None:
        """Hears signals until cancelled."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(_channel(owner), _EVERYBODY)
                    while True:
                        message: Any = await channel.get_message(timeout=_POLL_SECONDS)
                        if message is None:
                            continue
                        word = bytes(message["data"]).decode()
                        if word == "due":
                            on_due()
                        else:
                            on_cancel(UUID(word))
            except (RedisError, OSError):
                await asyncio.sleep(0.5)

    async def _send(self, channel: str, word: str) -> None:
        try:
            await self._redis.publish(channel, word)
        except (RedisError, OSError):
            return


def _channel(owner: UUID) -> str:
    return f"agent-runtime:signals:{owner.hex}"
