"""The sessions of this process.

Servers that keep nothing share one client per connector and credential. Of those that
keep sessions, each conversation has its own, never a credential: what one conversation
leaves behind, another must not find.
"""

import asyncio
import importlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from turnpike.tool_registry import metrics
from turnpike.tool_registry.links.breaker import Breaker
from turnpike.tool_registry.links.confines import Confines
from turnpike.tool_registry.links.faults import LinkError, UnreachableError
from turnpike.tool_registry.model import Endpoint, Fault, Transport

if TYPE_CHECKING:
    from turnpike.tool_registry.links.link import Link

logger = logging.getLogger(__name__)

IDLE_SECONDS = 300.0
PING_SECONDS = 60.0
MAX_SESSIONS = 1000
"""How many sessions with HTTP servers this process keeps."""

MAX_CHILDREN = 32
"""How many children one connector has in this process."""

_IS_THERE = frozenset({Fault.AUTH_NEEDED, Fault.FORBIDDEN})
_ROOM_SECONDS = 0.05
# A server that a thousand connect to at once, each to end its session, does not hear them all.
_ENDED_AT_ONCE = 50
_KNOWN_KINDS = 4096
_FAILED_PINGS = 2


@dataclass(frozen=True, slots=True)
class Key:
    """What a connection is opened with."""

    tenant: UUID
    connector: str
    etag: str
    """The version of the connector."""

    credential: str = ""
    """The version of the requester's credential; empty for the connector's own."""

    def is_of_same_connector(self, other: "Key") -> bool:
        """Whether both are versions of one connector."""
        return (self.tenant, self.connector) == (other.tenant, other.connector)


_Slot: TypeAlias = tuple[Key, str]
"""A key and a conversation; without one, what is shared, or is nobody's yet."""


@dataclass(slots=True, eq=False)
class _Entry:
    link: "Link"
    opened: "asyncio.Future[None]"
    is_child: bool
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)
    pinged_at: float = field(default_factory=time.monotonic)
    failed_pings: int = 0
    retired: bool = False

    @property
    def is_usable(self) -> bool:
        return not self.opened.done() or self.link.is_open


class Links:
    """Opens sessions on first use, and closes them when they are idle or outdated.

    Each session is held by a task of its own, in the group that `tasks` is. What is at an
    address that `built_in` knows is the suite's own.
    """

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        confines: Confines,
        built_in: Callable[[Key, Endpoint], "Link | None"] = lambda _key, _endpoint: None,
    ) -> None:
        self._built_in = built_in
        self._tasks = tasks
        self._confines = confines
        self._entries: dict[_Slot, _Entry] = {}
        self._is_shared: OrderedDict[Key, bool] = OrderedDict()
        self._breakers: dict[tuple[UUID, str], Breaker] = {}
        self.on_change: Callable[[UUID, str], None] = lambda _tenant, _connector: None
        """Is told when a server says that its list of tools changed."""

    @property
    def open_sessions(self) -> int:
        """How many sessions there are."""
        return len(self._entries)

    def is_warm(self, key: Key, conversation: str) -> bool:
        """Says whether a session is open, so that a request needs no handshake."""
        entry = self._entries.get(self._slot(key, conversation))
        return entry is not None and entry.link.is_open

    @asynccontextmanager
    async def using(
        self, key: Key, endpoint: Endpoint, conversation: str = ""
    ) -> AsyncGenerator["Link"]:
        """Gives an open session; it stays open while it is used.

        Without a conversation nothing may be called that leaves a trace in it.

        Raises:
            UnreachableError: There is none to be had.
        """
        entry = await self._guarded(key, endpoint, conversation)
        entry.users += 1
        try:
            yield entry.link
        finally:
            entry.users -= 1
            entry.used_at = entry.pinged_at = time.monotonic()
            if entry.retired and entry.users == 0:
                entry.link.close()

    def retire(self, key: Key, conversation: str = "") -> None:
        """Lets no new request use the session; it closes when the last one has ended."""
        self._retire(self._slot(key, conversation))

    def close_idle(self) -> None:
        """Closes what nobody used for a while, and sees whether the rest is still there."""
        now, room = time.monotonic(), _ENDED_AT_ONCE
        for slot, entry in list(self._entries.items()):
            is_idle = entry.users == 0 and entry.used_at < now - IDLE_SECONDS
            if not entry.is_usable or (is_idle and room > 0):
                room -= is_idle
                self._retire(slot)
            elif entry.users == 0 and entry.pinged_at < now - PING_SECONDS:
                entry.pinged_at = now
                self._tasks.create_task(self._ping(slot, entry), name="ping")
        metrics.SESSIONS.set(len(self._entries))

    def close(self) -> None:
        """Closes every session, also those that are used."""
        for entry in self._entries.values():
            entry.link.close()
        self._entries.clear()

    def forget(self, tenant: UUID, connector: str) -> None:
        """Closes a connector's sessions once nobody uses them."""
        for slot in [slot for slot in self._entries if _is_of(slot, tenant, connector)]:
            self._retire(slot)
        self._breakers.pop((tenant, connector), None)

    async def _guarded(self, key: Key, endpoint: Endpoint, conversation: str) -> _Entry:
        breaker = self._breakers.setdefault((key.tenant, key.connector), Breaker())
        # A discovery keeps its own pace, and is how a server is found to be back.
        if conversation and not breaker.may_try():
            raise UnreachableError(
                "the server failed several times; it is tried again shortly",
                fault=Fault.CONNECTION_REFUSED,
            )
        try:
            entry = await self._entry(key, endpoint, conversation)
        except LinkError as error:
            # Who asks for a credential is there, and others may have one.
            breaker.note(success=error.fault in _IS_THERE)
            raise
        breaker.note(success=True)
        return entry

    async def _entry(self, key: Key, endpoint: Endpoint, conversation: str) -> _Entry:
        while True:
            slot = self._slot(key, conversation)
            entry = self._entries.get(slot)
            if entry is None or not entry.is_usable:
                self._retire_others(key)
                entry = self._adopted(key, slot) or await self._start(slot, endpoint)
            # Others may be waiting for the same session.
            await asyncio.shield(entry.opened)
            self._learn(key, is_shared=entry.link.is_shareable)
            if self._slot(key, conversation) == slot and not entry.retired:
                entry.link.carry(endpoint)
                return entry

    def _slot(self, key: Key, conversation: str) -> _Slot:
        return key, "" if self._is_shared.get(key, True) else conversation

    def _learn(self, key: Key, *, is_shared: bool) -> None:
        self._is_shared[key] = is_shared
        self._is_shared.move_to_end(key)
        if len(self._is_shared) > _KNOWN_KINDS:
            self._is_shared.popitem(last=False)

    def _adopted(self, key: Key, slot: _Slot) -> _Entry | None:
        """Gives a conversation the session that was opened for nobody, if nothing was called."""
        spare = self._entries.get((key, ""))
        if not slot[1] or spare is None or not spare.link.is_open or spare.link.was_called:
            return None
        del self._entries[key, ""]
        self._entries[slot] = spare
        return spare

    async def _start(self, slot: _Slot, endpoint: Endpoint) -> _Entry:
        # In a thread: the import takes a second, and calls are waiting.
        module = await asyncio.to_thread(
            importlib.import_module, "turnpike.tool_registry.links.link"
        )
        is_child = endpoint.transport is Transport.STDIO
        await self._make_room(slot, is_child=is_child)
        found = self._entries.get(slot)
        if found is not None and found.is_usable:
            return found
        key = slot[0]
        link: Link = self._built_in(key, endpoint) or module.Link(
            endpoint, self._confines, on_change=lambda: self.on_change(key.tenant, key.connector)
        )
        entry = _Entry(link, asyncio.get_running_loop().create_future(), is_child)
        # Nobody may be left to hear of a failure.
        entry.opened.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._entries[slot] = entry
        metrics.OPENED.inc()
        self._tasks.create_task(link.hold(entry.opened), name=f"link {key.connector}")
        return entry

    async def _make_room(self, slot: _Slot, *, is_child: bool) -> None:
        while len(rivals := self._rivals(slot, is_child=is_child)) >= (
            MAX_CHILDREN if is_child else MAX_SESSIONS
        ):
            idle = [(entry.used_at, rival) for rival, entry in rivals.items() if entry.users == 0]
            if idle:
                self._retire(min(idle, key=lambda each: each[0])[1])
            else:
                await asyncio.sleep(_ROOM_SECONDS)

    def _rivals(self, slot: _Slot, *, is_child: bool) -> dict[_Slot, _Entry]:
        return {
            rival: entry
            for rival, entry in self._entries.items()
            if entry.is_child == is_child
            and (not is_child or rival[0].is_of_same_connector(slot[0]))
        }

    def _retire(self, slot: _Slot) -> None:
        entry = self._entries.pop(slot, None)
        if entry is not None:
            entry.retired = True
            if entry.users == 0:
                entry.link.close()

    def _retire_others(self, key: Key) -> None:
        for slot in list(self._entries):
            if slot[0].is_of_same_connector(key) and slot[0].etag != key.etag:
                self._retire(slot)

    async def _ping(self, slot: _Slot, entry: _Entry) -> None:
        if await entry.link.ping():
            entry.failed_pings = 0
            return
        entry.failed_pings += 1
        entry.pinged_at = 0.0
        if entry.failed_pings >= _FAILED_PINGS and self._entries.get(slot) is entry:
            self._retire(slot)


def _is_of(slot: _Slot, tenant: UUID, connector: str) -> bool:
    return (slot[0].tenant, slot[0].connector) == (tenant, connector)
