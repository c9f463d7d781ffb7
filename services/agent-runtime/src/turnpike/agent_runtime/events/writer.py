"""The owner's end of a turn's log."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from redis.exceptions import RedisError

from turnpike.agent_runtime.events.batches import pack
from turnpike.agent_runtime.events.counting import RESETS
from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.events.model import Batch, Claim
from turnpike.api.agent_runtime.v1.event_pb2 import Event, LogReset, ReasoningDelta, TextDelta

RESERVE = 10_000
"""How many numbers are reserved ahead in Postgres."""

_MERGE_BYTES = 4096
_APPEND_EVENTS = 256
_SLOWEST_RETRY_SECONDS = 1.0

Store = Callable[[Batch], Awaitable[None]]
"""Commits a batch, together with what it states."""

Body = dict[str, Any]
"""An event's body: the name of its kind in `Event`, and its message."""


class LogWriter:
    """Appends to one turn's log, for one claim.

    Deltas that arrive together become one event: whatever was emitted while an
    append was under way, or within one tick of the loop, goes out as the next
    append. Events that state a commit are numbered with their deltas, committed
    by the caller's statement, and only then shown.

    `run` must be running; everything else may be called from one task only.
    """

    def __init__(
        self,
        log: TurnLog,
        claim: Claim,
        *,
        last: int,
        committed: int,
        reserved: int,
        publish: Callable[[list[Event]], None],
        reserve: Callable[[int], Awaitable[None]],
        may_open: Callable[[], bool],
    ) -> None:
        self._log = log
        self._claim = claim
        self._last = last
        self._committed = committed
        self._trim_below = 0
        self._reserved = reserved
        self._publish = publish
        self._reserve = reserve
        self._may_open = may_open
        self._pending: list[Event] = []
        self._uncommitted: list[Event] = []
        self._unsent: deque[Event] = deque()
        self._barrier = 0
        self._published = last
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def emit(self, **body: Any) -> None:
        """Adds an event that states no commit; it is shown once Redis has it."""
        self._pending.append(Event(time=_now(), **body))
        self._stir()

    def emit_text(self, text: str) -> None:
        """Adds text of the answer, to the last event if that is not under way yet."""
        last = self._pending[-1] if self._pending else None
        if last is not None and last.HasField("text_delta") and last.ByteSize() < _MERGE_BYTES:
            last.text_delta.text += text
        else:
            self._pending.append(Event(time=_now(), text_delta=TextDelta(text=text)))
        self._stir()

    def emit_reasoning(self, text: str) -> None:
        """Adds text of the reasoning, like `emit_text`."""
        last = self._pending[-1] if self._pending else None
        if last is not None and last.HasField("reasoning_delta") and last.ByteSize() < _MERGE_BYTES:
            last.reasoning_delta.text += text
        else:
            self._pending.append(Event(time=_now(), reasoning_delta=ReasoningDelta(text=text)))
        self._stir()

    def mark(self) -> int:
        """Returns the number of the last event so far, to reset to later."""
        self._number()
        return self._last

    async def reset(self, after_seq: int, store: Store, *after: Body) -> None:
        """Voids what came after a mark, or after the last commit, and commits that.

        What is given beside is committed with it, right after it.

        Raises:
            FenceLostError: Another claim owns the turn.
        """
        RESETS.inc()
        self._number()
        self._uncommitted = [event for event in self._uncommitted if event.seq <= after_seq]
        self._unsent = deque(event for event in self._unsent if event.seq <= after_seq)
        await self.commit([{"log_reset": LogReset(after_seq=after_seq)}, *after], store)

    async def commit(self, bodies: list[Body], store: Store) -> None:
        """Commits events, with all emitted before them, by the caller's statement.

        When `store` raises, the bodies were never numbered; what was emitted stays.

        Raises:
            FenceLostError: Another claim owns the turn.
            CancelDesiredError: Cancelling the turn is desired.
        """
        self._number()
        before = self._last
        self._barrier = before + 1
        self._assign([Event(time=_now(), **body) for body in bodies])
        batch = Batch(
            first=self._uncommitted[0].seq,
            last=self._last,
            events=pack(self._uncommitted),
            reserve=self._last + RESERVE,
        )
        committing = asyncio.ensure_future(store(batch))
        try:
            await _to_its_end(committing)
        finally:
            self._barrier = 0
            if not committing.cancelled() and committing.exception() is None:
                self._trim_below = self._committed
                self._committed, self._reserved = batch.last, batch.reserve
                self._show(self._uncommitted)
                self._uncommitted = []
            else:
                self._take_back(before)
            self._stir()

    def _take_back(self, last: int) -> None:
        """Forgets numbers above `last`, which nobody was shown."""
        self._uncommitted = [event for event in self._uncommitted if event.seq <= last]
        self._unsent = deque(event for event in self._unsent if event.seq <= last)
        self._last = last

    async def flush(self) -> None:
        """Waits until Redis has everything."""
        await self._idle.wait()

    async def run(self) -> None:
        """Appends to Redis until cancelled.

        Raises:
            FenceLostError: Another claim owns the log.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            # What else arrives in this tick of the loop belongs to the same append.
            await asyncio.sleep(0)
            self._number()
            while ready := self._ready():
                await self._reserve_for(ready[-1].seq)
                await self._append(ready)
            if not self._unsent and not self._pending:
                self._idle.set()

    async def _reserve_for(self, seq: int) -> None:
        if seq > self._reserved:
            up_to = seq + RESERVE
            await self._reserve(up_to)
            self._reserved = max(self._reserved, up_to)

    def _stir(self) -> None:
        self._idle.clear()
        self._wake.set()

    def _number(self) -> None:
        pending, self._pending = self._pending, []
        self._assign(pending)

    def _assign(self, events: list[Event]) -> None:
        for event in events:
            self._last += 1
            event.seq = self._last
        self._uncommitted.extend(events)
        self._unsent.extend(events)

    def _ready(self) -> list[Event]:
        # A reset is an append of its own: it voids what is before its first event.
        ready: list[Event] = []
        for event in self._unsent:
            at_barrier = 0 < self._barrier <= event.seq
            if at_barrier or len(ready) == _APPEND_EVENTS:
                break
            if event.HasField("log_reset") and ready:
                break
            ready.append(event)
        return ready

    async def _append(self, ready: list[Event]) -> None:
        delay = 0.05
        while not await self._appended_or_reopened(ready):
            await asyncio.sleep(delay)
            delay = min(delay * 2, _SLOWEST_RETRY_SECONDS)

    async def _appended_or_reopened(self, ready: list[Event]) -> bool:
        try:
            if await self._append_once(ready):
                self._appended(ready)
                return True
            # A process that may have been declared dead asks nobody's log to be its own.
            if self._may_open():
                await self._reopen()
                return True
        except (RedisError, OSError):
            # Redis is away: readers are served from Postgres meanwhile.
            return False
        return False

    def _appended(self, ready: list[Event]) -> None:
        last = ready[-1].seq
        while self._unsent and self._unsent[0].seq <= last:
            self._unsent.popleft()
        self._show(ready)

    async def _append_once(self, ready: list[Event]) -> bool:
        first, last = ready[0], ready[-1]
        return await self._log.append(
            self._claim,
            first.seq,
            [event.SerializeToString() for event in ready],
            void_after=first.log_reset.after_seq if first.HasField("log_reset") else -1,
            trim_below=self._trim_below,
            terminal=last.HasField("turn_finished"),
        )

    async def _reopen(self) -> None:
        """Opens the log again after Redis lost it, and queues the step's events anew.

        Same numbers: readers that saw them already go on after them. Whoever takes
        over before they are all written again goes on above them.
        """
        _, last = await self._log.open(
            self._claim, committed=self._committed, if_lost=self._committed, shown=self._last
        )
        self._unsent = deque(event for event in self._uncommitted if event.seq > last)

    def _show(self, events: list[Event]) -> None:
        fresh = [event for event in events if event.seq > self._published]
        if fresh:
            self._published = fresh[-1].seq
            self._publish(fresh)


async def _to_its_end(committing: asyncio.Future[None]) -> None:
    """Awaits a commit, also when the awaiting task is cancelled meanwhile.

    A commit that was abandoned half-way may stand or not; nothing could be
    numbered after it.
    """
    try:
        await asyncio.shield(committing)
    except asyncio.CancelledError:
        while not committing.done():
            # Cancelling twice abandons it as little as cancelling once.
            with suppress(asyncio.CancelledError):
                await asyncio.wait({committing})
        raise


def _now() -> Timestamp:
    nanoseconds = time.time_ns()
    return Timestamp(seconds=nanoseconds // 1_000_000_000, nanos=nanoseconds % 1_000_000_000)
