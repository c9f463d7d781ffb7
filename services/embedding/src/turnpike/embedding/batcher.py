"""Which texts are embedded together, and whose turn it is."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from turnpike.embedding import metrics
from turnpike.embedding.lazy import Lazy
from turnpike.embedding.line import Entry, Line
from turnpike.embedding.model import Priority, QueueFullError

BULK_TURN = 4
"""While both wait, each fourth batch of a shared worker is bulk work."""


class Encoder(Protocol):
    """What a model does for the batcher, in a thread."""

    def encode(self, sequences: Sequence[Sequence[int]], width: int) -> list[bytes]:
        """Returns the vector of each sequence, padded to `width`."""
        ...


class Batcher:
    """Forms a batch whenever a worker is free, and never waits for one to fill.

    Everything but the model's own work happens on the event loop, where no
    lock is needed.
    """

    def __init__(
        self,
        encoder: "Lazy[Encoder]",
        executor: Executor,
        *,
        max_batch_tokens: int,
        max_queued_tokens: int,
    ) -> None:
        self._encoder = encoder
        self._executor = executor
        self._max_batch_tokens = max_batch_tokens
        self._max_queued_tokens = max_queued_tokens
        self._lines = {priority: Line() for priority in Priority}
        self._arrivals: list[asyncio.Event] = []
        self._turn = 0
        self._tokens_per_second = 4000.0

    async def embed(self, sequences: Iterable[Sequence[int]], priority: Priority) -> list[bytes]:
        """Returns the vectors of token sequences, in their order.

        When the caller is cancelled, what still waits is dropped and counted.

        Raises:
            QueueFullError: Too much of this priority waits already.
        """
        self.require_room(priority)
        await self._encoder.get()
        loop, now = asyncio.get_running_loop(), time.monotonic()
        entries = [Entry(tokens=t, vector=loop.create_future(), queued=now) for t in sequences]
        self._put(entries, priority)
        try:
            return await asyncio.gather(*(entry.vector for entry in entries))
        finally:
            self._drop(entries, priority)

    def require_room(self, priority: Priority) -> None:
        """Raises `QueueFullError` when too much of a priority waits already.

        Whoever comes while there is room is let in whole, so that the largest
        request can be served; the line exceeds its limit by one request at most.
        """
        waiting = self._lines[priority].tokens
        if waiting < self._max_queued_tokens:
            return
        metrics.REFUSED.labels(priority.value).inc()
        drained = timedelta(seconds=max(1.0, waiting / self._tokens_per_second))
        raise QueueFullError(waiting, "tokens", retry_after=min(drained, timedelta(minutes=1)))

    @asynccontextmanager
    async def working(self, workers: int) -> AsyncGenerator[None]:
        """Embeds what waits, while the block runs, in up to `workers` batches at a time.

        Where there are several, one serves interactive work alone, so that a
        query never waits for a batch of bulk work to end.
        """
        async with asyncio.TaskGroup() as tasks:
            reserved = [(Priority.INTERACTIVE,)] if workers > 1 else []
            shared = [(Priority.INTERACTIVE, Priority.BULK)] * (workers - len(reserved))
            running = [tasks.create_task(self._work(*each)) for each in reserved + shared]
            yield
            for task in running:
                task.cancel()

    async def _work(self, *priorities: Priority) -> None:
        arrival = asyncio.Event()
        self._arrivals.append(arrival)
        while True:
            arrival.clear()
            priority, entries = self._take(priorities)
            if entries:
                await self._encode(entries, priority)
            else:
                await arrival.wait()

    def _put(self, entries: list[Entry], priority: Priority) -> None:
        line = self._lines[priority]
        for entry in entries:
            line.put(entry)
        metrics.QUEUED_TOKENS.labels(priority.value).set(line.tokens)
        for arrival in self._arrivals:
            arrival.set()

    def _drop(self, entries: list[Entry], priority: Priority) -> None:
        line = self._lines[priority]
        dropped = sum(line.drop(entry) for entry in entries)
        metrics.DROPPED.labels(priority.value).inc(dropped)
        metrics.QUEUED_TOKENS.labels(priority.value).set(line.tokens)

    def _take(self, priorities: Sequence[Priority]) -> tuple[Priority, list[Entry]]:
        ordered = list(priorities)
        if len(ordered) > 1 and self._turn % BULK_TURN == BULK_TURN - 1:
            ordered.reverse()
        for priority in ordered:
            entries = self._lines[priority].take(self._max_batch_tokens)
            if entries:
                self._turn += len(priorities) > 1
                metrics.QUEUED_TOKENS.labels(priority.value).set(self._lines[priority].tokens)
                return priority, entries
        return ordered[0], []

    async def _encode(self, entries: list[Entry], priority: Priority) -> None:
        encoder = await self._encoder.get()
        _observe_start(entries, priority)
        began = time.monotonic()
        work = asyncio.get_running_loop().run_in_executor(
            self._executor, encoder.encode, [e.tokens for e in entries], entries[0].width
        )
        await asyncio.wait([work])
        self._observe_end(entries, priority, time.monotonic() - began)
        _settle(entries, work)

    def _observe_end(self, entries: list[Entry], priority: Priority, seconds: float) -> None:
        padded = entries[0].width * len(entries)
        self._tokens_per_second += 0.1 * (padded / seconds - self._tokens_per_second)
        metrics.BATCH_SECONDS.labels(priority.value).observe(seconds)
        metrics.TOKENS.labels(priority.value).inc(sum(len(entry.tokens) for entry in entries))


def _observe_start(entries: list[Entry], priority: Priority) -> None:
    now = time.monotonic()
    metrics.BATCH_TEXTS.labels(priority.value).observe(len(entries))
    for entry in entries:
        metrics.QUEUE_SECONDS.labels(priority.value).observe(now - entry.queued)


def _settle(entries: list[Entry], work: "asyncio.Future[list[bytes]]") -> None:
    """Gives each caller that is still there its vector, or all of them the failure."""
    error = work.exception()
    vectors = [b""] * len(entries) if error else work.result()
    for entry, vector in zip(entries, vectors, strict=True):
        if entry.vector.done():
            continue
        if error:
            entry.vector.set_exception(error)
        else:
            entry.vector.set_result(vector)
