"""The tools of a tenant, listed without asking the servers."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import UnavailableError
from turnpike.tool_registry import metrics, tools
from turnpike.tool_registry.connectors import Connectors
from turnpike.tool_registry.definitions import digest_of, parse
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
from turnpike.tool_registry.offers import ListedTool, Offers, ToolList
from turnpike.tool_registry.patterns import matcher_of, may_match_connector, names_connector
from turnpike.tool_registry.tools import CatalogueEntry, KeptTool

FIRST_LISTING_SECONDS = 30.0
"""How long a listing waits for connectors that were never seen."""

_POLL_SECONDS = 0.1
_TRIES = 3
_LOOK_SECONDS = 20.0


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
        self._offers = Offers()

    async def list_tools(
        self, tenant: UUID, patterns: Sequence[str], *, principal: str = ""
    ) -> ToolList:
        """Returns the tools that match.

        A principal is shown those of the tenant's connectors and the own ones.

        Asks no server. Only a connector that was never seen is waited for, 30
        seconds at most.

        Raises:
            UnavailableError: They change faster than they can be read.
        """
        entries = await self._entries(tenant, patterns, principal)
        if await self._is_brought(tenant, patterns, entries):
            entries = await self._entries(tenant, patterns, principal)
        if any(_is_unseen(entry) for entry in entries):
            entries = await self._await_first(tenant, patterns, principal)
        for tries in range(1, _TRIES + 1):
            listed = await self._list(tenant, patterns, entries, is_last=tries == _TRIES)
            if listed is not None:
                return listed
            entries = await self._entries(tenant, patterns, principal)
        raise UnavailableError("the tools change faster than they can be read; try again")

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
        self,
        tenant: UUID,
        patterns: Sequence[str],
        entries: list[CatalogueEntry],
        *,
        is_last: bool,
    ) -> ToolList | None:
        """Returns what matches; None when an entry has changed meanwhile.

        On the `is_last` try rows that nobody can heal are left out: they hide no others.
        """
        seen = tuple((entry.connector, entry.revision) for entry in entries if entry.discovered)
        key = (tenant, tuple(patterns), seen)
        known = self._offers.chosen(key)
        if known is not None:
            return known
        listed = await self._load(tenant, entries, is_last=is_last)
        if listed is None:
            return None
        chosen = _chosen(listed, patterns)
        if not is_last:
            self._offers.keep_chosen(key, chosen)
        return chosen

    async def _load(
        self, tenant: UUID, entries: list[CatalogueEntry], *, is_last: bool
    ) -> list[ListedTool] | None:
        """Returns the tools of all entries; None when one of them has changed meanwhile."""
        listed: list[ListedTool] = []
        for entry in entries:
            if not entry.discovered:
                continue
            offered = self._offers.offered(tenant, entry.connector, entry.revision)
            if offered is None:
                offered = await self._read(tenant, entry, is_last=is_last)
            if offered is None:
                return None
            listed.extend(offered)
        return listed

    async def _read(
        self, tenant: UUID, entry: CatalogueEntry, *, is_last: bool
    ) -> list[ListedTool] | None:
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await tools.list_tools(connection, tenant, entry.connector, entry.revision)
        if found is None:
            return None
        sound = [kept for kept in found if _is_sound(kept)]
        if len(sound) < len(found) and not is_last:
            await self._heal(tenant, entry.connector)
            return None
        offered = [_listed(kept) for kept in sound]
        if len(sound) == len(found):
            size = sum(len(kept.tool.definition) + len(kept.pinned) for kept in found)
            self._offers.keep_offered(tenant, entry.connector, entry.revision, offered, size)
        return offered

    async def _heal(self, tenant: UUID, connector: str) -> None:
        """Discovers anew what the rows do not tell any more, and waits for it."""
        metrics.HEALED.inc()
        await self._discoveries.discover_anew(tenant, connector, seconds=FIRST_LISTING_SECONDS)


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
