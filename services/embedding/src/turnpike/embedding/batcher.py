"""Which texts are embedded together, and whose turn it is."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from turnpike.embedding import metrics
from turnpike.embedding.line import Entry, Line, Packing
from turnpike.embedding.model import Item, Priority, QueueFullError

BULK_TURN = 4
"""While both wait, each fourth batch of a shared worker is bulk work."""

_SHORTEST_WAIT = timedelta(milliseconds=1)


class Engine(Protocol):
    """What turns a batch into vectors: a model in this process, or a provider's."""

    async def ready(self) -> None:
        """Returns once it can work; raises when it never will."""
        ...

    async def embed(self, items: Sequence[Item], width: int) -> list[bytes]:
        """Returns the vector of each text, padded to `width` tokens where that says something."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text that is to be embedded."""

    key: bytes
    """What its vector depends on: texts with the same key are computed once."""

    item: Item


class Batcher:
    """Forms a batch whenever a worker is free, and never waits for one to fill.

    Everything but the engine's own work happens on the event loop, where no
    lock is needed.

    Args:
        engine: Makes the vectors.
        packing: How large a batch may be.
        workers: How many batches are worked on at a time.
        max_queued_tokens: How many tokens may wait, of each priority.
    """

    def __init__(
        self, engine: Engine, packing: Packing, *, workers: int, max_queued_tokens: int
    ) -> None:
        self._engine = engine
        self._packing = packing
        self._workers = workers
        self._max_queued_tokens = max_queued_tokens
        self._lines = {priority: Line(packing) for priority in Priority}
        self._asked: dict[bytes, Entry] = {}
        self._arrivals: list[asyncio.Event] = []
        self._turn = 0
        self._tokens_per_second = 4000.0

    async def embed(self, wanted: Sequence[Wanted], priority: Priority) -> list[bytes]:
        """Returns the vectors of texts, in their order.

        A text that somebody else waits for already is not computed again; when
        all its callers are cancelled and it still waits, it is dropped and counted.

        Raises:
            QueueFullError: Too much of this priority waits already.
        """
        self.require_room(priority)
        await self._engine.ready()
        entries = [self._join(each, priority) for each in wanted]
        self._announce(priority)
        try:
            futures = {entry.vector for entry in entries}
            await asyncio.wait(futures, return_when=asyncio.FIRST_EXCEPTION)
            failed = next((each for each in futures if each.done() and each.exception()), None)
            return [(failed or entry.vector).result() for entry in entries]
        finally:
            self._leave(entries)

    def require_room(self, priority: Priority, patience: float | None = None) -> None:
        """Raises `QueueFullError` when too much of a priority waits already.

        Whoever comes while there is room is let in whole, so that the largest
        request can be served; the line exceeds its limit by one request at most.

        Args:
            priority: Whose turn it would be.
            patience: How many seconds the caller will wait: it is refused when what
                waits before it takes longer. None for as long as it takes.
        """
        line = self._lines[priority]
        rate = self._tokens_per_second * self._workers_for(priority)
        surplus = line.tokens - self._max_queued_tokens
        if surplus >= 0:
            wait = (surplus + 1) / rate
        elif patience is not None and line.tokens / rate > patience:
            wait = line.tokens / rate - patience
        else:
            return
        metrics.REFUSED.labels(priority.value).inc()
        retry_after = max(_SHORTEST_WAIT, timedelta(seconds=wait))
        raise QueueFullError(line.texts, "inputs", retry_after=retry_after)

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """Embeds what waits, while the block runs.

        Where there are several workers, one serves interactive work alone, so that
        a query never waits for a batch of bulk work to end.
        """
        async with asyncio.TaskGroup() as tasks:
            reserved = [(Priority.INTERACTIVE,)] if self._workers > 1 else []
            shared = [(Priority.INTERACTIVE, Priority.BULK)] * (self._workers - len(reserved))
            running = [tasks.create_task(self._work(*each)) for each in reserved + shared]
            yield
            for task in running:
                task.cancel()

    def _workers_for(self, priority: Priority) -> int:
        return max(1, self._workers - (priority is Priority.BULK))

    def _join(self, wanted: Wanted, priority: Priority) -> Entry:
        """Returns the entry of a text: the one that waits already, or a new one."""
        entry = self._asked.get(wanted.key)
        if entry is None:
            entry = self._entry(wanted, priority)
            self._asked[wanted.key] = entry
            self._lines[priority].put(entry)
        else:
            metrics.SHARED.labels(priority.value).inc()
            if priority is Priority.INTERACTIVE:
                self._promote(entry)
        entry.callers += 1
        return entry

    def _entry(self, wanted: Wanted, priority: Priority) -> Entry:
        return Entry(
            key=wanted.key,
            item=wanted.item,
            vector=asyncio.get_running_loop().create_future(),
            queued=time.monotonic(),
            priority=priority,
            width=self._packing.width(len(wanted.item.ids)),
        )

    def _promote(self, entry: Entry) -> None:
        """Puts bulk work that somebody waits for now among the interactive."""
        if entry.priority is Priority.BULK and self._lines[Priority.BULK].drop(entry):
            entry.priority = Priority.INTERACTIVE
            self._lines[Priority.INTERACTIVE].put(entry)
            self._gauge(Priority.BULK)

    def _announce(self, priority: Priority) -> None:
        self._gauge(priority)
        for arrival in self._arrivals:
            arrival.set()

    def _gauge(self, priority: Priority) -> None:
        metrics.QUEUED_TOKENS.labels(priority.value).set(self._lines[priority].tokens)

    def _leave(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            entry.callers -= 1
            if entry.callers == 0 and self._lines[entry.priority].drop(entry):
                metrics.DROPPED.labels(entry.priority.value).inc()
                del self._asked[entry.key]
        for priority in Priority:
            self._gauge(priority)

    async def _work(self, *priorities: Priority) -> None:
        arrival = asyncio.Event()
        self._arrivals.append(arrival)
        while True:
            arrival.clear()
            priority, entries = self._take(priorities)
            if entries:
                await self._embed(entries, priority)
            else:
                await arrival.wait()

    def _take(self, priorities: Sequence[Priority]) -> tuple[Priority, list[Entry]]:
        ordered = list(priorities)
        if len(ordered) > 1 and self._turn % BULK_TURN == BULK_TURN - 1:
            ordered.reverse()
        for priority in ordered:
            entries = self._lines[priority].take()
            if entries:
                self._turn += len(priorities) > 1
                self._gauge(priority)
                return priority, entries
        return ordered[0], []

    async def _embed(self, entries: list[Entry], priority: Priority) -> None:
        _observe_start(entries, priority)
        began, width = time.monotonic(), entries[0].width
        items = [entry.item for entry in entries]
        work = asyncio.ensure_future(self._engine.embed(items, width))
        try:
            await asyncio.wait([work])
        finally:
            if not work.done():
                work.cancel()
        self._observe_end(entries, priority, time.monotonic() - began)
        for entry in entries:
            del self._asked[entry.key]
        _settle(entries, work)

    def _observe_end(self, entries: list[Entry], priority: Priority, seconds: float) -> None:
        cost = sum(entry.cost for entry in entries)
        self._tokens_per_second += 0.1 * (cost / max(seconds, 1e-6) - self._tokens_per_second)
        metrics.BATCH_SECONDS.labels(priority.value).observe(seconds)
        metrics.TOKENS.labels(priority.value).inc(sum(len(entry.item.ids) for entry in entries))


def _observe_start(entries: list[Entry], priority: Priority) -> None:
    now = time.monotonic()
    metrics.BATCH_TEXTS.labels(priority.value).observe(len(entries))
    for entry in entries:
        metrics.QUEUE_SECONDS.labels(priority.value).observe(now - entry.queued)


def _settle(entries: list[Entry], work: "asyncio.Future[list[bytes]]") -> None:
    """Gives each text's callers its vector, or all of them the failure."""
    error = work.exception()
    vectors = [b""] * len(entries) if error else work.result()
    for entry, vector in zip(entries, vectors, strict=True):
        if error:
            entry.vector.set_exception(error)
            entry.vector.exception()  # whoever has left will not ask for it
        else:
            entry.vector.set_result(vector)
