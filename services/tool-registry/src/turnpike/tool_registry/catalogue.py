"""The tools of a tenant, listed without asking the servers."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.tool_registry import metrics, tools
from turnpike.tool_registry.connectors import Connectors
from turnpike.tool_registry.definitions import Definition, digest_of, parse
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.errors import ConnectorExistsError
from turnpike.tool_registry.model import (
    KNOWLEDGE,
    KNOWLEDGE_NAME,
    ConnectorState,
    Endpoint,
    Spec,
    ToolState,
    Transport,
)
from turnpike.tool_registry.patterns import matcher_of, may_match_connector, names_connector
from turnpike.tool_registry.tools import CatalogueEntry, KeptTool

FIRST_LISTING_SECONDS = 30.0
"""How long a listing waits for connectors that were never seen."""

_POLL_SECONDS = 0.1
_TRIES = 3
_LOOK_SECONDS = 20.0
_CACHED_BYTES = 32 * 1024 * 1024
# Tools and patterns of all lists that are kept; a list of more is kept alone.
_LISTS_SIZE = 10_000

_ListKey: TypeAlias = tuple[UUID, tuple[str, ...], tuple[tuple[str, int], ...]]
"""Whose, the patterns, and the connectors with their revisions."""


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool as callers see it: by the definition that was approved."""

    connector: str
    name: str
    digest: str
    """Of the approved definition; empty when there is none."""

    definition: Definition
    state: ToolState
    alias: str
    trusted: bool
    """Whether what it says about effects counts."""

    drift: tuple[str, ...]
    flags: tuple[str, ...]
    renamed_from: str
    identity: str
    """Of its connector, whatever that is called."""

    @property
    def full_name(self) -> str:
        """`connector/tool`."""
        return f"{self.connector}/{self.name}"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ToolList:
    """The tools that match what was asked for, by name; one object until any of them changes."""

    tools: tuple[ListedTool, ...]
    digest: str
    """Of them together; the same until a definition changes."""


@dataclass(frozen=True, slots=True)
class _Cached:
    revision: int
    tools: list[ListedTool]
    size: int


class Catalogue:
    """The catalogue of every tenant; this process keeps in memory what it listed lately."""

    def __init__(
        self,
        *,
        pool: asyncpg.Pool,
        engine: AsyncEngine,
        discoveries: Discoveries,
        connectors: Connectors,
        has_knowledge: bool,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._discoveries = discoveries
        self._connectors = connectors
        self._has_knowledge = has_knowledge
        self._cache: OrderedDict[tuple[UUID, str], _Cached] = OrderedDict()
        self._cached_bytes = 0
        self._lists: OrderedDict[_ListKey, ToolList] = OrderedDict()
        self._lists_size = 0

    async def list_tools(
        self, tenant: UUID, patterns: Sequence[str], *, principal: str = ""
    ) -> ToolList:
        """Returns the tools that match.

        A principal is shown those of the tenant's connectors and the own ones.

        Asks no server. Only a connector that was never seen is waited for, 30
        seconds at most.
        """
        entries = await self._entries(tenant, patterns, principal)
        if await self._is_brought(tenant, patterns, entries):
            entries = await self._entries(tenant, patterns, principal)
        if any(_is_unseen(entry) for entry in entries):
            entries = await self._await_first(tenant, patterns, principal)
        for _ in range(_TRIES):
            listed = await self._list(tenant, patterns, entries)
            if listed is not None:
                return listed
            entries = await self._entries(tenant, patterns, principal)
        return _chosen([], patterns)

    async def _is_brought(
        self, tenant: UUID, patterns: Sequence[str], entries: list[CatalogueEntry]
    ) -> bool:
        """Makes the connector to the tenant's documents once its tools are named; says if so.

        A pattern that names nothing, such as `*/*`, brings no new tools to an agent.
        """
        if not self._has_knowledge or not names_connector(patterns, KNOWLEDGE_NAME):
            return False
        if any(entry.connector == KNOWLEDGE_NAME for entry in entries):
            return False
        spec = Spec(endpoint=Endpoint(transport=Transport.HTTP, url=KNOWLEDGE))
        try:
            async with tenant_transaction(self._engine, tenant) as connection:
                await self._connectors.create(connection, tenant, KNOWLEDGE_NAME, spec)
        except ConnectorExistsError:
            # Another process was first; or it is switched off, or somebody's own.
            return False
        return True

    def expire_soon(self, tenant: UUID, connector: str) -> None:
        """Has a connector's tools discovered anew, in the background."""
        self._discoveries.start(tenant, connector, although_fresh=True)

    async def look_again(self, tenant: UUID, connector: str, since: datetime) -> None:
        """Has a connector's tools discovered anew if they were last seen before `since`.

        A server that does not answer leaves what is known as it is.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            seen = await tools.seen_since(connection, tenant, connector, since)
        if not seen:
            await self._discoveries.discover_anew(tenant, connector, seconds=_LOOK_SECONDS)

    async def _entries(
        self, tenant: UUID, patterns: Sequence[str], principal: str
    ) -> list[CatalogueEntry]:
        entries = [
            entry
            for entry in await tools.list_entries(self._pool, tenant, principal)
            if may_match_connector(patterns, entry.connector)
        ]
        for entry in entries:
            if entry.stale:
                self._discoveries.start(tenant, entry.connector)
        idle = [entry.connector for entry in entries if not entry.used]
        if idle:
            async with tenant_transaction(self._engine, tenant) as connection:
                await tools.note_use(connection, tenant, idle)
        return entries

    async def _await_first(
        self, tenant: UUID, patterns: Sequence[str], principal: str
    ) -> list[CatalogueEntry]:
        # The discovery may be another replica's: the rows tell when it is done.
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + FIRST_LISTING_SECONDS
        while True:
            entries = await self._entries(tenant, patterns, principal)
            if loop.time() >= give_up_at or not any(_is_unseen(entry) for entry in entries):
                return entries
            await asyncio.sleep(_POLL_SECONDS)

    async def _list(
        self, tenant: UUID, patterns: Sequence[str], entries: list[CatalogueEntry]
    ) -> ToolList | None:
        """Returns what matches; None when an entry has changed meanwhile."""
        seen = tuple((entry.connector, entry.revision) for entry in entries if entry.discovered)
        key = (tenant, tuple(patterns), seen)
        known = self._lists.get(key)
        if known is not None:
            self._lists.move_to_end(key)
            return known
        listed = await self._load(tenant, entries)
        if listed is None:
            return None
        chosen = _chosen(listed, patterns)
        self._keep_list(key, chosen)
        return chosen

    async def _load(self, tenant: UUID, entries: list[CatalogueEntry]) -> list[ListedTool] | None:
        """Returns the tools of all entries; None when one of them has changed meanwhile."""
        listed: list[ListedTool] = []
        for entry in entries:
            if not entry.discovered:
                continue
            cached = self._cache.get((tenant, entry.connector))
            if cached is None or cached.revision != entry.revision:
                cached = await self._read(tenant, entry)
            if cached is None:
                return None
            listed.extend(cached.tools)
        return listed

    async def _read(self, tenant: UUID, entry: CatalogueEntry) -> _Cached | None:
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await tools.list_tools(connection, tenant, entry.connector, entry.revision)
        if found is None:
            return None
        if not all(_is_sound(kept) for kept in found):
            await self._heal(tenant, entry.connector)
            return None
        cached = _Cached(
            revision=entry.revision,
            tools=[_listed(kept) for kept in found],
            size=sum(len(kept.tool.definition) + len(kept.pinned) for kept in found),
        )
        self._keep((tenant, entry.connector), cached)
        return cached

    async def _heal(self, tenant: UUID, connector: str) -> None:
        """Discovers anew what the rows do not tell any more, and waits for it."""
        metrics.HEALED.inc()
        await self._discoveries.discover_anew(tenant, connector, seconds=FIRST_LISTING_SECONDS)

    def _keep_list(self, key: _ListKey, chosen: ToolList) -> None:
        before = self._lists.pop(key, None)
        self._lists_size += _size(key, chosen) - (_size(key, before) if before else 0)
        self._lists[key] = chosen
        while self._lists_size > _LISTS_SIZE and len(self._lists) > 1:
            self._lists_size -= _size(*self._lists.popitem(last=False))

    def _keep(self, key: tuple[UUID, str], cached: _Cached) -> None:
        before = self._cache.pop(key, None)
        self._cached_bytes += cached.size - (before.size if before else 0)
        self._cache[key] = cached
        while self._cached_bytes > _CACHED_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= dropped.size


def _is_sound(kept: KeptTool) -> bool:
    if digest_of(kept.tool.definition.encode()) != kept.tool.digest:
        return False
    # A pin is written again only for a tool that is what was approved.
    waits = kept.tool.state is ToolState.QUARANTINED
    return waits or digest_of(kept.pinned.encode()) == kept.pinned_digest or not kept.pinned


def _listed(kept: KeptTool) -> ListedTool:
    tool = kept.tool
    waits = tool.state is ToolState.QUARANTINED
    definition, digest = tool.definition, tool.digest
    if waits:
        is_readable = digest_of(kept.pinned.encode()) == kept.pinned_digest
        definition, digest = (kept.pinned, kept.pinned_digest) if is_readable else ("{}", "")
    return ListedTool(
        connector=tool.connector,
        name=tool.name,
        digest=digest,
        definition=parse(definition),
        state=tool.state if kept.enabled else ToolState.DISABLED,
        alias=kept.alias,
        trusted=not kept.distrusted,
        drift=tool.drift,
        flags=tool.flags,
        renamed_from=tool.renamed_from,
        identity=kept.identity,
    )


def _is_unseen(entry: CatalogueEntry) -> bool:
    return not entry.discovered and entry.state is ConnectorState.UNKNOWN


def _size(key: _ListKey, chosen: ToolList) -> int:
    return 1 + len(key[1]) + len(chosen.tools)


def _chosen(listed: list[ListedTool], patterns: Sequence[str]) -> ToolList:
    matches = matcher_of(patterns)
    chosen = [each for each in listed if matches(each.full_name)]
    chosen.sort(key=lambda each: each.full_name)
    return ToolList(tuple(chosen), _toolset_digest(chosen))


def _toolset_digest(listed: list[ListedTool]) -> str:
    whole = hashlib.sha256()
    for each in listed:
        whole.update(f"{each.full_name}\0{each.digest}\0{each.state}\n".encode())
    return f"sha256:{whole.hexdigest()}"
