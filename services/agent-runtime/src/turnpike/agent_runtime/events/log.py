"""A turn's log in Redis: the deltas first, and a copy of what is committed."""

import asyncio
from collections.abc import Awaitable
from importlib.resources import files
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from turnpike.agent_runtime.events.model import Claim, FenceLostError
from turnpike.api.agent_runtime.v1.event_pb2 import Event

_RUNNING_TTL_MS = 24 * 3600 * 1000
_FINISHED_TTL_MS = 10 * 60 * 1000
_PAGE = 1000


class TurnLog:
    """The logs of all turns, in Redis.

    Keys of one turn share a hash tag: `turn:{<turn>}:head` and `:log`. See
    lua/open.lua and lua/append.lua for what is in them.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        scripts = files("turnpike.agent_runtime.events") / "lua"
        self._open = redis.register_script((scripts / "open.lua").read_text())
        self._append = redis.register_script((scripts / "append.lua").read_text())

    async def open(
        self, claim: Claim, *, committed: int, if_lost: int, shown: int = 0
    ) -> tuple[bool, int]:
        """Makes `claim` the log's only writer.

        Args:
            claim: Whose log.
            committed: The last committed number.
            if_lost: The number to go on after when Redis lost the head.
            shown: The last number that this claim may have shown already, when it
                opens its log again; the next claim goes on above it.

        Returns:
            Whether the head stood, and the last number.

        Raises:
            FenceLostError: A newer claim has opened it.
        """
        outcome, seq = await _cancellable(
            self._open(
                keys=_keys(claim.turn),
                args=[claim.fence, claim.owner.hex, committed, if_lost, _RUNNING_TTL_MS, shown],
            )
        )
        if outcome == b"STALE":
            raise FenceLostError
        return outcome == b"OK", int(seq)

    async def append(
        self,
        claim: Claim,
        first: int,
        events: list[bytes],
        *,
        void_after: int = -1,
        trim_below: int = 0,
        terminal: bool = False,
    ) -> bool:
        """Appends events; False means that the log must be opened again first.

        Args:
            claim: The claim that opened the log.
            first: The number of the first event.
            events: Serialized `Event`s with consecutive numbers.
            void_after: Entries above this number, below `first`, are deleted.
            trim_below: Entries below this number are trimmed.
            terminal: The last event is the log's last.

        Raises:
            FenceLostError: A newer claim has opened the log.
        """
        ttl = _FINISHED_TTL_MS if terminal else _RUNNING_TTL_MS
        outcome, _ = await _cancellable(
            self._append(
                keys=_keys(claim.turn),
                args=[claim.fence, claim.owner.hex, first, void_after, trim_below, ttl, *events],
            )
        )
        if outcome == b"STALE":
            raise FenceLostError
        return outcome == b"OK"

    async def last(self, turn: UUID) -> int:
        """Returns the last number in the log, 0 when Redis has none."""
        return int(await self._redis.hget(_keys(turn)[0], "seq") or 0)

    async def after(self, turn: UUID, cursor: int) -> list[Event]:
        """Returns events above `cursor`, in order; a page of them."""
        entries = await self._redis.xrange(_keys(turn)[1], min=f"{cursor + 1}-0", count=_PAGE)
        return _events(entries)

    async def wait(
        self, cursors: dict[UUID, int], waker: UUID, *, timeout_ms: int
    ) -> dict[UUID, list[Event]]:
        """Waits until one of the logs has an event above its cursor, or for the waker.

        Returns:
            The new events of each log that has some.
        """
        streams: dict[bytes | str | memoryview, int | bytes | str | memoryview] = {
            _keys(turn)[1]: f"{cursor}-0" for turn, cursor in cursors.items()
        }
        turns = {_keys(turn)[1].encode(): turn for turn in cursors}
        streams[_waker_key(waker)] = "$"
        reply = await _cancellable(self._redis.xread(streams, count=_PAGE, block=timeout_ms))
        found: dict[UUID, list[Event]] = {}
        for key, entries in _pairs(reply):
            if key in turns:
                found[turns[key]] = _events(entries)
        return found

    async def wake(self, waker: UUID) -> None:
        """Ends a `wait` that is under way with this waker."""
        key = _waker_key(waker)
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xadd(key, {"w": ""}, maxlen=1)
            pipeline.pexpire(key, 60_000)
            await pipeline.execute()


async def _cancellable(call: Awaitable[Any]) -> Any:
    """Awaits a call of redis-py's, which loses a cancellation now and then.

    When a pooled connection turns out to be dead just then, it says that Redis is
    away, or succeeds; whoever tries again for ever would never end.
    """
    # Compared, since a task group that failed leaves its task's count raised.
    before = _cancellations()
    try:
        return await call
    finally:
        if _cancellations() > before:
            raise asyncio.CancelledError


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def _events(entries: Any) -> list[Event]:
    return [Event.FromString(fields[b"e"]) for _, fields in entries]


def _pairs(reply: Any) -> list[tuple[bytes, Any]]:
    # RESP3 answers a map of lists, RESP2 a list of pairs.
    if isinstance(reply, dict):
        return [(key, entries[0]) for key, entries in reply.items()]
    return list(reply or [])


def _keys(turn: UUID) -> list[str]:
    return [f"turn:{{{turn}}}:head", f"turn:{{{turn}}}:log"]


def _waker_key(waker: UUID) -> str:
    return f"agent-runtime:waker:{{{waker}}}"
