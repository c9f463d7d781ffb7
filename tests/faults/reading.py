"""Readers that never give up: what a client with a lossy network makes of a turn."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from tests.e2e.edge import Edge, RefusedError
from tests.e2e.folding import Event, Fold, OutOfOrderError

RECONNECT_SECONDS = 0.1
BROKEN = (httpx.HTTPError, OSError)
# What is refused so is worth another try.
PASSING = (429, 502, 503, 504)


@dataclass
class Reading:
    """What one reader saw of a turn, and when."""

    fold: Fold = field(default_factory=Fold)
    seen: list[tuple[float, Event]] = field(default_factory=list[tuple[float, Event]])
    order_faults: list[str] = field(default_factory=list[str])
    reconnects: int = 0

    def take(self, event: Event) -> None:
        """Adds an event; one that may not follow is noted and left out."""
        self.seen.append((time.time(), event))
        try:
            self.fold.take(event)
        except OutOfOrderError as fault:
            self.order_faults.append(str(fault))
            self.fold.last = max(self.fold.last, event.seq)

    def went_on_after(self, moment: float) -> float | None:
        """Returns how long after a moment the first event that was written after it came."""
        for arrived, event in self.seen:
            if datetime.fromisoformat(event.fields["time"]).timestamp() > moment:
                return arrived - moment
        return None


async def follow(edges: Sequence[Edge], turn: str, reading: Reading, start: int = 0) -> None:
    """Reads a turn to its end through whatever edge answers."""
    attempt = start
    while not reading.fold.finished:
        edge = edges[attempt % len(edges)]
        try:
            await read_once(edge, turn, reading)
        except (*BROKEN, RefusedError) as broken:
            if isinstance(broken, RefusedError) and broken.status < 429:
                raise
            await asyncio.sleep(RECONNECT_SECONDS)
        attempt += 1
        reading.reconnects += 1


async def read_once(edge: Edge, turn: str, reading: Reading) -> None:
    """Reads on from the last event, as far as one connection goes."""
    headers = {"last_event_id": str(reading.fold.last)}
    async with edge.stream("GET", f"/turns/{turn}/events", **headers) as stream:
        async for event in stream.events():
            reading.take(event)


async def insist(edges: Sequence[Edge], method: str, path: str, body: object, key: str) -> dict:  # pyright: ignore[reportMissingTypeArgument]
    """Makes a call until some edge answers it; the key makes that safe."""
    attempt = 0
    while True:
        edge = edges[attempt % len(edges)]
        try:
            return await edge.call(method, path, body, idempotency_key=key)
        except (*BROKEN, RefusedError) as broken:
            if isinstance(broken, RefusedError) and broken.status not in PASSING:
                raise
            await asyncio.sleep(RECONNECT_SECONDS)
        attempt += 1
