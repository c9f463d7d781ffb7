"""Hearing of changes: one replica listens to each server that tells of them."""

import asyncio
import logging
from collections.abc import Sequence

from turnpike.database.envelope import SealBrokenError
from turnpike.database.failures import is_unavailable
from turnpike.telemetry import adopt
from turnpike.tool_registry import metrics
from turnpike.tool_registry.access import Access
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.errors import ConnectorNotFoundError, VariableUnusableError
from turnpike.tool_registry.links.faults import LinkError, RefusedError
from turnpike.tool_registry.links.pool import Key, Links
from turnpike.tool_registry.orphans import Ear

logger = logging.getLogger(__name__)

MAX_EARS = 200
"""How many servers one process listens to."""

_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 60.0
# Whom it was listened to for so long is there: what ended is begun again soon.
_STEADY_SECONDS = 10.0
# Such sessions belong to no conversation.
_CONVERSATION = "listening"


class Listeners:
    """What this process listens to."""

    def __init__(
        self,
        *,
        access: Access,
        discoveries: Discoveries,
        links: Links,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._access = access
        self._discoveries = discoveries
        self._links = links
        self._tasks = tasks
        self._listening: dict[Ear, asyncio.Task[None]] = {}

    @property
    def room(self) -> int:
        """How many more servers this process can listen to."""
        return max(0, MAX_EARS - len(self._listening))

    def follow(self, ears: Sequence[Ear]) -> None:
        """Listens to these from now on, and to no others."""
        for ear in self._listening.keys() - set(ears):
            self._listening.pop(ear).cancel()
        for ear in ears:
            if ear not in self._listening:
                task = self._tasks.create_task(self._own(ear), name=f"listen {ear.connector}")
                self._listening[ear] = task
        metrics.LISTENERS.set(len(self._listening))

    async def _own(self, ear: Ear) -> None:
        adopt(None)
        loop = asyncio.get_running_loop()
        pause = _PAUSE_SECONDS
        while True:
            begun = loop.time()
            try:
                await self._listen(ear)
            except (ConnectorNotFoundError, SealBrokenError):
                # Nothing to hear, until the connector is another.
                return
            except RefusedError:
                pause = _LONGEST_PAUSE_SECONDS
            except (LinkError, VariableUnusableError) as error:
                logger.debug("listening to %r ended: %s", ear.connector, error)
            except Exception as error:
                if not is_unavailable(error):
                    logger.exception("listening to %r failed", ear.connector)
            if loop.time() - begun > _STEADY_SECONDS:
                pause = _PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _listen(self, ear: Ear) -> None:
        stored = await self._access.for_discovery(ear.tenant, ear.connector)
        key = Key(ear.tenant, ear.connector, stored.connector.etag, stored.credential)
        async with self._links.using(key, stored.endpoint, _CONVERSATION) as link:
            # What changed before the server began to tell, nobody was told.
            await link.listen(lambda: self._discoveries.note_change(ear.tenant, ear.connector))
