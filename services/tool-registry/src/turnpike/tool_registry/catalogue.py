"""The tools of a tenant, listed without asking the servers."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.tool_registry import metrics, tools
from turnpike.tool_registry.definitions import Definition, digest_of, parse
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.model import ConnectorState, Tool
from turnpike.tool_registry.patterns import matcher_of, may_match_connector
from turnpike.tool_registry.tools import CatalogueEntry

FIRST_LISTING_SECONDS = 30.0
"""How long a listing waits for connectors that were never seen."""

_POLL_SECONDS = 0.1
_TRIES = 3
_CACHED_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool with its definition, parsed."""

    tool: Tool
    definition: Definition


@dataclass(frozen=True, slots=True)
class _Cached:
    revision: int
    tools: list[ListedTool]
    size: int


class Catalogue:
    """The catalogue of every tenant; this process keeps in memory what it listed lately."""

    def __init__(
        self, *, pool: asyncpg.Pool, engine: AsyncEngine, discoveries: Discoveries
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._discoveries = discoveries
        self._cache: OrderedDict[tuple[UUID, str], _Cached] = OrderedDict()
        self._cached_bytes = 0

    async def list_tools(
        self, tenant: UUID, patterns: Sequence[str]
    ) -> tuple[list[ListedTool], str]:
        """Returns the tools that match, by name, and the digest of them together.

        Asks no server. Only a connector that was never seen is waited for, 30
        seconds at most. Order and digest are the same until a definition changes.
        """
        entries = await self._entries(tenant, patterns)
        if any(_is_unseen(entry) for entry in entries):
            entries = await self._await_first(tenant, patterns)
        for _ in range(_TRIES):
            listed = await self._load(tenant, entries)
            if listed is not None:
                break
            entries = await self._entries(tenant, patterns)
        else:
            listed = []
        matches = matcher_of(patterns)
        chosen = [each for each in listed if matches(each.tool.full_name)]
        chosen.sort(key=lambda each: each.tool.full_name)
        return chosen, _toolset_digest(chosen)

    def expire_soon(self, tenant: UUID, connector: str) -> None:
        """Has a connector's tools discovered anew, in the background."""
        self._discoveries.start(tenant, connector, although_fresh=True)

    async def _entries(self, tenant: UUID, patterns: Sequence[str]) -> list[CatalogueEntry]:
        entries = [
            entry
            for entry in await tools.list_entries(self._pool, tenant)
            if may_match_connector(patterns, entry.connector)
        ]
        for entry in entries:
            if entry.stale:
                self._discoveries.start(tenant, entry.connector)
        return entries

    async def _await_first(self, tenant: UUID, patterns: Sequence[str]) -> list[CatalogueEntry]:
        # The discovery may be another replica's: the rows tell when it is done.
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + FIRST_LISTING_SECONDS
        while True:
            entries = await self._entries(tenant, patterns)
            if loop.time() >= give_up_at or not any(_is_unseen(entry) for entry in entries):
                return entries
            await asyncio.sleep(_POLL_SECONDS)

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
        sound = [tool for tool in found if digest_of(tool.definition.encode()) == tool.digest]
        if len(sound) < len(found):
            await self._heal(tenant, entry.connector)
            return None
        cached = _Cached(
            revision=entry.revision,
            tools=[ListedTool(tool, parse(tool.definition)) for tool in sound],
            size=sum(len(tool.definition) for tool in sound),
        )
        self._keep((tenant, entry.connector), cached)
        return cached

    async def _heal(self, tenant: UUID, connector: str) -> None:
        """Discovers anew what the rows do not tell any more, and waits for it."""
        metrics.HEALED.inc()
        task = self._discoveries.start(tenant, connector, although_fresh=True)
        await asyncio.wait([task], timeout=FIRST_LISTING_SECONDS)

    def _keep(self, key: tuple[UUID, str], cached: _Cached) -> None:
        before = self._cache.pop(key, None)
        self._cached_bytes += cached.size - (before.size if before else 0)
        self._cache[key] = cached
        while self._cached_bytes > _CACHED_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= dropped.size


def _is_unseen(entry: CatalogueEntry) -> bool:
    return not entry.discovered and entry.state is ConnectorState.UNKNOWN


def _toolset_digest(listed: list[ListedTool]) -> str:
    whole = hashlib.sha256()
    for each in listed:
        whole.update(f"{each.tool.full_name}\0{each.tool.digest}\n".encode())
    return f"sha256:{whole.hexdigest()}"
