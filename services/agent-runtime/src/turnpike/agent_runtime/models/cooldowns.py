"""What is not to be asked just now, known to every replica."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

KEY = "agent-runtime:cooldowns"
LONGEST_SECONDS = 900.0

_REMEMBERED_SECONDS = 900.0
_MOST = 10_000
_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 0.2
_JITTER = 0.1


@dataclass(slots=True)
class _Rest:
    until: float
    noted: float
    shared: bool


class Cooldowns:
    """What rests, by ids that say nothing.

    Asking is a look into a map: `follow` keeps it as Redis has it. While Redis is away each
    replica goes by what it noted itself. Times are the loop's.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        scripts = files("turnpike.agent_runtime.models") / "lua"
        self._cool = redis.register_script((scripts / "cool.lua").read_text())
        self._resting = redis.register_script((scripts / "resting.lua").read_text())
        self._rests: dict[str, _Rest] = {}

    @property
    def known(self) -> frozenset[str]:
        """What rests, or did until lately."""
        return frozenset(self._rests)

    def left(self, ids: Sequence[str]) -> float:
        """Returns for how many seconds the longest of these rests; 0 when none does."""
        now = _now()
        untils = [rest.until - now for each in ids if (rest := self._rests.get(each))]
        return max(0.0, *untils) if untils else 0.0

    def is_suspect(self, ids: Sequence[str]) -> bool:
        """Says whether one of these rested, and nobody has found since that it answers."""
        return any(each in self._rests for each in ids)

    async def cool(self, ids: Sequence[str], seconds: float) -> float:
        """Lets these rest, at least so long and a little more; returns for how long."""
        jitter = 1 + random.uniform(0, _JITTER)  # noqa: S311 # no secret
        seconds = min(max(seconds, 0.0) * jitter, LONGEST_SECONDS)
        now = _now()
        for each in ids:
            until = max(now + seconds, self._rests[each].until if each in self._rests else 0.0)
            self._rests[each] = _Rest(until, now, shared=False)
        milliseconds = [int(seconds * 1000), int(_REMEMBERED_SECONDS * 1000), _MOST]
        await _quietly(self._cool(keys=[KEY], args=[*milliseconds, *ids]))
        return seconds

    async def clear(self, ids: Sequence[str]) -> None:
        """Says that these answer again."""
        for each in ids:
            self._rests.pop(each, None)
        await _quietly(self._redis.zrem(KEY, *ids))

    async def follow(self) -> None:
        """Keeps the map as Redis has it, until cancelled."""
        while True:
            began = _now()
            found: Any = await _quietly(self._resting(keys=[KEY]))
            if found is not None:
                self._adopt(found, began)
            self._forget()
            await asyncio.sleep(_POLL_SECONDS)

    def _adopt(self, found: Sequence[Any], began: float) -> None:
        there = {
            bytes(each).decode(): began + int(left) / 1000
            for each, left in zip(found[::2], found[1::2], strict=True)
        }
        # What was noted meanwhile Redis may not have shown yet; what Redis never got stays, too.
        own = {
            each: rest
            for each, rest in self._rests.items()
            if rest.noted >= began or (not rest.shared and each not in there)
        }
        self._rests = {
            each: _Rest(until, began, shared=True) for each, until in there.items()
        } | own

    def _forget(self) -> None:
        before = _now() - _REMEMBERED_SECONDS
        for each in [each for each, rest in self._rests.items() if rest.until < before]:
            del self._rests[each]


async def _quietly(asking: Any) -> Any:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await asking
    except (RedisError, OSError, TimeoutError):
        return None


def _now() -> float:
    return asyncio.get_running_loop().time()
