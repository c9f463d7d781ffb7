"""The sessions of this process: one per connector and version, shared by all calls."""

import asyncio
import importlib
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from turnpike.tool_registry.model import Endpoint

if TYPE_CHECKING:
    from turnpike.tool_registry.links.link import Link

logger = logging.getLogger(__name__)

IDLE_SECONDS = 300.0

Key: TypeAlias = tuple[UUID, str, str]
"""Tenant, connector, etag."""


@dataclass(slots=True, eq=False)
class _Entry:
    link: "Link"
    opened: "asyncio.Future[None]"
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)
    retired: bool = False


class Links:
    """Opens sessions on first use, and closes them when they are idle or outdated.

    Each session is held by a task of its own, in the group that `tasks` is.
    """

    def __init__(self, tasks: asyncio.TaskGroup, *, allow_private: bool) -> None:
        self._tasks = tasks
        self._allow_private = allow_private
        self._entries: dict[Key, _Entry] = {}

    def is_warm(self, key: Key) -> bool:
        """Says whether a session is open, so that a request needs no handshake."""
        entry = self._entries.get(key)
        return entry is not None and entry.link.is_open

    @asynccontextmanager
    async def using(self, key: Key, endpoint: Endpoint) -> AsyncGenerator["Link"]:
        """Gives an open session; it stays open while it is used.

        Raises:
            UnreachableError: There is none to be had.
        """
        entry = await self._open(key, endpoint)
        entry.users += 1
        try:
            yield entry.link
        finally:
            entry.users -= 1
            entry.used_at = time.monotonic()
            if entry.retired and entry.users == 0:
                entry.link.close()

    def retire(self, key: Key) -> None:
        """Lets no new request use the session; it closes when the last one has ended."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.retired = True
            if entry.users == 0:
                entry.link.close()

    def close_idle(self) -> None:
        """Closes what nobody used for a while."""
        horizon = time.monotonic() - IDLE_SECONDS
        for key, entry in list(self._entries.items()):
            if entry.users == 0 and entry.used_at < horizon:
                self.retire(key)

    def close(self) -> None:
        """Closes every session, also those that are used."""
        for entry in self._entries.values():
            entry.link.close()
        self._entries.clear()

    async def _open(self, key: Key, endpoint: Endpoint) -> _Entry:
        entry = self._entries.get(key)
        if entry is None or (entry.opened.done() and not entry.link.is_open):
            self._retire_others(key)
            entry = await self._start(key, endpoint)
        # Others may be waiting for the same session.
        await asyncio.shield(entry.opened)
        return entry

    async def _start(self, key: Key, endpoint: Endpoint) -> _Entry:
        # In a thread: the import takes a second, and calls are waiting.
        module = await asyncio.to_thread(
            importlib.import_module, "turnpike.tool_registry.links.link"
        )
        found = self._entries.get(key)
        if found is not None and (found.link.is_open or not found.opened.done()):
            return found
        link: Link = module.Link(endpoint, allow_private=self._allow_private)
        entry = _Entry(link, asyncio.get_running_loop().create_future())
        # Nobody may be left to hear of a failure.
        entry.opened.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._entries[key] = entry
        self._tasks.create_task(link.hold(entry.opened), name=f"link {key[1]}")
        return entry

    def _retire_others(self, key: Key) -> None:
        for other in [other for other in self._entries if other[:2] == key[:2]]:
            self.retire(other)
