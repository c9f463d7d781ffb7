"""What is written down off the path of those whom it is about."""

import asyncio
import logging
import time
from collections.abc import Mapping
from uuid import UUID

from turnpike.gatekeeper.model import Refusal, Segment
from turnpike.gatekeeper.system import System
from turnpike.rpc.errors import UnavailableError

logger = logging.getLogger(__name__)

_WRITE_SECONDS = 1.0
_FORGET_SECONDS = 3600.0
# Of each kind, between two writes; what is more is not written down.
_MOST = 10_000


class Journal:
    """Refusals, and when keys were used last.

    They are kept for a second and then written together. What cannot be
    written is lost: nothing is decided by it.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._refusals: dict[tuple[UUID, UUID, int, int], Refusal] = {}
        self._used: set[UUID] = set()
        self._forget_at = time.monotonic()

    def used(self, key: UUID) -> None:
        """Notes that a key was used."""
        if len(self._used) < _MOST:
            self._used.add(key)

    def refused(self, segment: Segment, reason: str, details: Mapping[str, str]) -> None:
        """Notes that a segment was refused."""
        if len(self._refusals) < _MOST:
            number = (segment.tenant, segment.turn, segment.attempt, segment.number)
            self._refusals[number] = Refusal(segment=segment, reason=reason, details=details)

    async def run(self) -> None:
        """Writes until it is cancelled, and then what is left."""
        try:
            while True:
                await asyncio.sleep(_WRITE_SECONDS)
                await self._write()
        finally:
            await self._write()

    async def _write(self) -> None:
        try:
            await self.write()
            if time.monotonic() >= self._forget_at:
                self._forget_at = time.monotonic() + _FORGET_SECONDS
                await self._system.forget()
        except UnavailableError as error:
            logger.warning("the journal loses entries: %s", error)

    async def write(self) -> None:
        """Writes what has been noted."""
        refusals, self._refusals = list(self._refusals.values()), {}
        used, self._used = self._used, set()
        if refusals:
            await self._system.note_refused(refusals)
        if used:
            await self._system.note_used(used)
