"""The slots of running turns, kept in Redis."""

import hashlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,
    TryAgainError,
)

from turnpike.gatekeeper.model import ConcurrencyLimitedError
from turnpike.rpc.errors import UnavailableError

SLOT_TTL = timedelta(seconds=10)
"""How long a slot lives without a heartbeat."""

HEARTBEAT_INTERVAL = timedelta(seconds=1)
"""How often replicas renew at least; so long they have to register again."""

# The marker outlives what Postgres says of a tenant's last slot (25 s, see
# `admit` in the migrations): where it is missing though slots may be held, Redis
# lost its state.
_MARKER_TTL = timedelta(seconds=40)
# A heartbeat is under way for no longer than this.
_RELEASED_TTL = timedelta(seconds=2)
# How long a refused caller should wait at most: a turn may end at any moment.
_RETRY_AFTER = timedelta(seconds=1)

_AWAY = (
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,
    TryAgainError,
)


def open_redis(
    url: str, *, connections: int = 32, timeout: timedelta = timedelta(seconds=1)
) -> Redis:
    """Returns a client of `url`; nothing is connected yet.

    A call that finds every connection taken waits for one, as it waits for
    Redis: no longer than `timeout`. A connection that died is replaced once.
    """
    seconds = timeout.total_seconds()
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=seconds,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 1),
    )
    return Redis.from_pool(pool)


class Slots:
    """The slots now held, of every tenant.

    A tenant's slots are one sorted set; see lua/admit.lua. All keys of a tenant
    share a hash tag, so each script runs on one node of a cluster.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._admit = _Script("admit")
        self._renew = _Script("renew_slots")
        self._release = _Script("release_slot")
        self._seen: dict[UUID, tuple[float, int]] = {}

    async def acquire(self, tenant: UUID, turn: UUID, *, slots: int, idle: bool) -> None:
        """Takes a slot for a turn; it keeps the one that it has.

        Args:
            tenant: The turn's tenant.
            turn: The turn.
            slots: How many the tenant has.
            idle: Nobody in the tenant can have held a slot until now, so that
                a Redis that knows of none has not lost any.

        Raises:
            ConcurrencyLimitedError: Every slot is taken.
            UnavailableError: Redis is away, or lost its state a moment ago.
        """
        keys = [_key(tenant, "slots"), _key(tenant, "marker"), _key(tenant, "released")]
        args = [str(turn), slots, _ms(SLOT_TTL), int(idle), _ms(HEARTBEAT_INTERVAL)]
        async with _redis_answers():
            outcome, number = await self._admit.run(self._redis, keys, [*args, _ms(_MARKER_TTL)])
        if outcome == 1:
            self._see(tenant, number)
        elif outcome == 0:
            self._see(tenant, slots)
            wait = min(timedelta(milliseconds=number), _RETRY_AFTER)
            raise ConcurrencyLimitedError(slots, wait)
        else:
            raise UnavailableError(
                "running turns are being counted anew; try again",
                retry_after=timedelta(milliseconds=number),
            )

    async def renew(self, turns: Mapping[UUID, Sequence[UUID]]) -> None:
        """Renews the slots of each tenant's turns, or takes them again if they were lost.

        One round trip, however many tenants there are.

        Raises:
            UnavailableError: Redis is away.
        """
        times = [_ms(SLOT_TTL), _ms(HEARTBEAT_INTERVAL), _ms(_MARKER_TTL)]
        calls = [
            (
                [_key(tenant, "slots"), _key(tenant, "marker"), _key(tenant, "released")],
                [*times, *map(str, running)],
            )
            for tenant, running in turns.items()
        ]
        async with _redis_answers():
            counts = await self._renew.run_each(self._redis, calls)
        for tenant, taken in zip(turns, counts, strict=True):
            self._see(tenant, taken)

    async def release(self, tenant: UUID, turn: UUID) -> None:
        """Gives a slot back. Does nothing if it is gone already.

        Raises:
            UnavailableError: Redis is away.
        """
        keys = [_key(tenant, "slots"), _key(tenant, "released")]
        async with _redis_answers():
            taken = await self._release.run(self._redis, keys, [str(turn), _ms(_RELEASED_TTL)])
        self._see(tenant, taken)

    def taken(self) -> int:
        """Returns how many slots are taken, as far as this replica has seen lately."""
        oldest = time.monotonic() - SLOT_TTL.total_seconds()
        self._seen = {tenant: seen for tenant, seen in self._seen.items() if seen[0] > oldest}
        return sum(count for _, count in self._seen.values())

    def _see(self, tenant: UUID, taken: int) -> None:
        self._seen[tenant] = (time.monotonic(), taken)


class _Script:
    """A script by its digest. redis-py's own asks the server first in each pipeline."""

    def __init__(self, name: str) -> None:
        self._text = files("turnpike.gatekeeper").joinpath(f"lua/{name}.lua").read_text()
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Runs it, sending its text if Redis does not have it."""
        try:
            return await redis.execute_command("EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return await redis.execute_command("EVAL", self._text, len(keys), *keys, *args)

    async def run_each(
        self, redis: Redis, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]
    ) -> list[Any]:
        """Runs it once for each keys and arguments, in one round trip."""
        try:
            return await self._pipelined(redis, calls)
        except NoScriptError:
            await redis.script_load(self._text)
            return await self._pipelined(redis, calls)

    async def _pipelined(
        self, redis: Redis, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]
    ) -> list[Any]:
        async with redis.pipeline(transaction=False) as pipeline:
            for keys, args in calls:
                pipeline.execute_command("EVALSHA", self._digest, len(keys), *keys, *args)
            return await pipeline.execute()


def _key(tenant: UUID, what: str) -> str:
    return f"gatekeeper:{{{tenant}}}:{what}"


def _ms(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)


@asynccontextmanager
async def _redis_answers() -> AsyncGenerator[None]:
    try:
        yield
    except _AWAY as error:
        raise UnavailableError("redis does not answer; try again") from error
