"""The Lua scripts, by their digests."""

import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
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

from turnpike.rpc.errors import UnavailableError

# Definitions that scripts share; Redis has no way to load them by themselves.
_PRELUDE = ("arguments", "clock", "gcra", "leases", "holds")

_AWAY = (
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,
    TryAgainError,
)


class RedisAwayError(UnavailableError):
    """Redis does not answer."""

    def __init__(self) -> None:
        super().__init__("redis does not answer; try again")


class Script:
    """A script by its digest. redis-py's own asks the server first in each pipeline."""

    def __init__(self, name: str) -> None:
        sources = files("turnpike.gatekeeper") / "lua"
        parts = [sources.joinpath(f"{part}.lua").read_text() for part in (*_PRELUDE, name)]
        self._text = "\n".join(parts)
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Runs it, sending its text if Redis does not have it."""
        packed = _packed(args)
        try:
            return await redis.execute_command("EVALSHA", self._digest, len(keys), *keys, packed)
        except NoScriptError:
            return await redis.execute_command("EVAL", self._text, len(keys), *keys, packed)

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
                pipeline.execute_command("EVALSHA", self._digest, len(keys), *keys, _packed(args))
            return await pipeline.execute()


def _packed(args: Sequence[Any]) -> str:
    # The client takes longer for fifty arguments than Redis does for the whole script.
    return json.dumps([str(arg) for arg in args])


def key(tenant: UUID, *what: str | UUID) -> str:
    """Returns the name of a tenant's key; all of a tenant's share a hash tag.

    So each script runs on one node of a cluster.
    """
    return f"gatekeeper:{{{tenant}}}:{':'.join(map(str, what))}"


def ms(time: timedelta) -> int:
    """Returns a time in milliseconds."""
    return time // timedelta(milliseconds=1)


@asynccontextmanager
async def redis_answers() -> AsyncGenerator[None]:
    """Raises `RedisAwayError` for what Redis' absence raises in the block."""
    try:
        yield
    except _AWAY as error:
        raise RedisAwayError from error
