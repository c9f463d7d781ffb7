"""Readers of logs: many readers, one task."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from uuid import UUID, uuid4

from redis.exceptions import RedisError

from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.events.batches import Batches, Head
from turnpike.agent_runtime.events.counting import GAPS
from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.events.model import following, follows, is_terminal
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.database.failures import is_unavailable
from turnpike.rpc.errors import UnavailableError

HEARTBEAT_SECONDS = 15.0

_HELD_EVENTS = 500
_BLOCK_MS = 500
_POLL_SECONDS = 1.0


class Tail:
    """The newest events of one turn, for those who watch it here.

    Holds every standing event above `base`; a reader further behind reads
    Redis or Postgres.
    """

    def __init__(self, turn: UUID, base: int) -> None:
        self.turn = turn
        self.base = base
        self.last = base
        self.readers = 0
        self.owned = False
        self.gone = False
        self._held: deque[Event] = deque()
        self._change = asyncio.Event()

    def feed(self, events: Iterable[Event]) -> None:
        """Adds events; those that it has already are passed over."""
        for event in events:
            if event.seq <= self.last:
                continue
            if not follows(self.last, event):
                # Also a reset, when something that stands was missed before it.
                GAPS.inc()
                self.jump(event.seq - 1)
            if event.HasField("log_reset"):
                self._void(event.log_reset.after_seq)
            self._held.append(event)
            self.last = event.seq
        while len(self._held) > _HELD_EVENTS:
            self.base = self._held.popleft().seq
        self._notify()

    def jump(self, seq: int) -> None:
        """Forgets what it holds: events up to `seq` are to be had elsewhere."""
        self._held.clear()
        self.base = self.last = seq
        self._notify()

    def end(self) -> None:
        """Says that there is no such turn any more."""
        self.gone = True
        self._notify()

    def wake(self) -> None:
        """Makes readers look again, though nothing is new."""
        self._notify()

    def after(self, cursor: int) -> list[Event] | None:
        """Returns what a reader at `cursor` may be given, or None when that is elsewhere."""
        if cursor < self.base:
            return None
        return following(cursor, self._held)

    @property
    def change(self) -> asyncio.Event:
        """Set when something new comes after now."""
        return self._change

    def _void(self, after_seq: int) -> None:
        while self._held and self._held[-1].seq > after_seq:
            self._held.pop()

    def _notify(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


class Tails:
    """What is watched on this replica.

    Two tasks feed the tails: `follow` reads Redis for all of them in one call,
    `poll` asks Postgres each second what is committed, so that a lost wake-up
    or a lost Redis delays a reader by a second at most.
    """

    def __init__(
        self, log: TurnLog, batches: Batches, *, heartbeat_seconds: float = HEARTBEAT_SECONDS
    ) -> None:
        self._log = log
        self._batches = batches
        self._heartbeat_seconds = heartbeat_seconds
        self._tails: dict[UUID, Tail] = {}
        self._waker = uuid4()
        self._closed = False

    def close(self) -> None:
        """Ends every reader that has what is here: they are to go on at another replica."""
        self._closed = True
        for tail in self._tails.values():
            tail.wake()

    def own(self, turn: UUID, last: int) -> None:
        """Says that an owner here feeds the turn's tail from now on."""
        tail = self._hold(turn, last)
        tail.owned = True

    async def disown(self, turn: UUID) -> None:
        """Says that the owner here is done: readers who stay follow Redis."""
        self._tails[turn].owned = False
        if self._release(turn):
            await self._stir()

    def publish(self, turn: UUID, events: list[Event]) -> None:
        """Gives readers here what the owner here appended or committed."""
        if tail := self._tails.get(turn):
            tail.feed(events)

    async def watch(self, head: Head, after: int) -> AsyncGenerator[list[Event]]:
        """Yields events above `after`, in order, until the terminal one.

        An empty list comes first when there is nothing yet, and as a heartbeat;
        of a log that has ended it is all, when `after` is the end.

        Args:
            head: Where the log stands.
            after: The reader's cursor.

        Raises:
            UnavailableError: This replica drains; go on at another one.
            NotFoundError: The turn is deleted.
        """
        if head.turn not in self._tails:
            base = max(head.committed, await self.last(head.turn))
        else:
            base = 0
        tail = self._hold(head.turn, base)
        try:
            if not tail.owned:
                await self._stir()
            async for events in self._given(head, tail, after):
                yield events
        finally:
            self._release(head.turn)

    async def last(self, turn: UUID) -> int:
        """Returns the last number that Redis knows, 0 when it knows none."""
        try:
            return await self._log.last(turn)
        except (RedisError, OSError):
            return 0

    async def recent(self, turn: UUID, cursor: int) -> list[Event]:
        """Returns the events above `cursor` that Redis has, when they follow on it."""
        try:
            return following(cursor, await self._log.after(turn, cursor))
        except (RedisError, OSError):
            return []

    def _hold(self, turn: UUID, base: int) -> Tail:
        tail = self._tails.setdefault(turn, Tail(turn, base))
        tail.readers += 1
        return tail

    def _release(self, turn: UUID) -> bool:
        """Lets go of a tail, and says whether somebody still holds it."""
        tail = self._tails[turn]
        tail.readers -= 1
        if not tail.readers:
            del self._tails[turn]
        return tail.readers > 0

    async def _given(self, head: Head, tail: Tail, cursor: int) -> AsyncGenerator[list[Event]]:
        loop = asyncio.get_running_loop()
        told_at = float("-inf")
        while True:
            # Taken before the look, or what comes between the two is missed.
            change = tail.change
            held = tail.after(cursor)
            events = await self._fetch(head, cursor) if held is None else held
            beat = told_at + self._heartbeat_seconds - loop.time()
            if events or beat <= 0:
                yield events
                told_at, beat = loop.time(), self._heartbeat_seconds
            if events:
                cursor = events[-1].seq
                if is_terminal(events[-1]):
                    return
                continue
            if head.ended and cursor >= head.committed:
                return
            self._require_open(tail)
            # What is elsewhere may come to be there without another event.
            await _within(min(beat, _POLL_SECONDS) if held is None else beat, change)

    def _require_open(self, tail: Tail) -> None:
        if tail.gone:
            raise NotFoundError("turn", str(tail.turn))
        if self._closed:
            raise UnavailableError("this replica drains; go on after the last number seen")

    async def _fetch(self, head: Head, cursor: int) -> list[Event]:
        if events := await self.recent(head.turn, cursor):
            return events
        return following(cursor, await self._batches.after(head.tenant, head.turn, cursor))

    async def _stir(self) -> None:
        try:
            await self._log.wake(self._waker)
        except (RedisError, OSError):
            return

    async def follow(self) -> None:
        """Feeds the tails from Redis, until cancelled."""
        while True:
            cursors = {t.turn: t.last for t in self._tails.values() if not t.owned}
            try:
                found = await self._log.wait(cursors, self._waker, timeout_ms=_BLOCK_MS)
            except (RedisError, OSError):
                await asyncio.sleep(_POLL_SECONDS / 4)
                continue
            for turn, events in found.items():
                self.publish(turn, events)

    async def poll(self) -> None:
        """Tells the tails what is committed, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            if not self._tails:
                continue
            asked = list(self._tails)
            try:
                committed = await self._batches.committed(asked)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                continue
            for turn in asked:
                self._compare(turn, committed.get(turn))

    def _compare(self, turn: UUID, committed: int | None) -> None:
        tail = self._tails.get(turn)
        if tail is None:
            return
        if committed is None:
            tail.end()
        elif committed > tail.last:
            tail.jump(committed)


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
