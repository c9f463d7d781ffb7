"""What was revoked, for everybody who watches: one reader a replica."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

from turnpike.gatekeeper.model import Revocation
from turnpike.gatekeeper.system import System
from turnpike.rpc.errors import UnavailableError

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
# The first read that finds nothing after so long is told of all the same.
_SILENCE_SECONDS = 0.7
# Older than this, what was read says nothing about now.
_STALE_SECONDS = 2.0
_HELD = 1000


class Revocations:
    """Reads revocations four times a second while somebody watches."""

    def __init__(self, system: System) -> None:
        self._system = system
        # Everything after `_base` up to `_position`.
        self._held: deque[Revocation] = deque()
        self._base = self._position = 0
        self._read_at = float("-inf")
        self._read = asyncio.Event()
        self._watchers = 0
        self._watched = asyncio.Event()

    async def run(self) -> None:
        """Reads until it is cancelled."""
        while True:
            await self._watched.wait()
            try:
                await self._poll()
            except UnavailableError as error:
                logger.warning("revocations cannot be read: %s", error)
            await asyncio.sleep(_POLL_SECONDS)

    async def watch(self, after: int) -> AsyncGenerator[tuple[list[Revocation], int]]:
        """Yields what was revoked after a position, and the position to go on from.

        Yields each second at least, also when there is nothing; each time
        Postgres has just been read. 0 begins with the last 65 minutes.

        Raises:
            UnavailableError: Postgres does not answer: silence would be a lie.
        """
        with self._watching():
            position = after or await self._system.recent_position()
            found = await self._system.revocations_after(position)
            while True:
                position = found[-1].id if found else position
                yield found, position
                found = await self._next(position)

    @contextmanager
    def _watching(self) -> Generator[None]:
        self._watchers += 1
        self._watched.set()
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._watched.clear()

    async def _next(self, position: int) -> list[Revocation]:
        speak_at = time.monotonic() + _SILENCE_SECONDS
        while True:
            await self._reading()
            found = await self._after(position)
            if found or time.monotonic() >= speak_at:
                return found

    async def _reading(self) -> None:
        try:
            async with asyncio.timeout(_STALE_SECONDS):
                await self._read.wait()
        except TimeoutError:
            raise UnavailableError("postgres does not answer; try again") from None

    async def _after(self, position: int) -> list[Revocation]:
        if position < self._base:
            return await self._system.revocations_after(position)
        return [revocation for revocation in self._held if revocation.id > position]

    async def _poll(self) -> None:
        if time.monotonic() - self._read_at > _STALE_SECONDS:
            # Nobody watched. Who does now has read for itself what was before.
            self._held.clear()
            self._base = self._position = await self._system.recent_position()
        found = await self._system.revocations_after(self._position)
        self._read_at = time.monotonic()
        self._hold(found)
        self._read, read = asyncio.Event(), self._read
        read.set()

    def _hold(self, found: list[Revocation]) -> None:
        if found:
            self._held.extend(found)
            self._position = found[-1].id
        while len(self._held) > _HELD:
            self._base = self._held.popleft().id
