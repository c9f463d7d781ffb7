"""Telling how far a document's indexing is, while it goes on."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

from turnpike.embedding.knowledge.model import Indexing, Place, State
from turnpike.embedding.knowledge.reading import Reading

_LOOK_SECONDS = 0.2
_SILENCE_SECONDS = 4.0


class Watching:
    """Follows indexings of every tenant, on whichever replica they are done."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def watch(self, tenant: UUID, place: Place) -> AsyncIterator[Indexing]:
        """Yields how it fares at once, when that changed, and each 4 s, until it is over.

        Raises:
            MissingError: There is no such document.
        """
        told, told_at = None, 0.0
        while True:
            document = await self._reading.get(tenant, place)
            # What is deleted is not indexed.
            now = document.indexing or Indexing(state=State.READY)
            if now != told or time.monotonic() - told_at >= _SILENCE_SECONDS:
                yield now
                told, told_at = now, time.monotonic()
            if now.state.is_over:
                return
            await asyncio.sleep(_LOOK_SECONDS)
