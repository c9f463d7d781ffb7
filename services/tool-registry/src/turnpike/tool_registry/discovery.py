"""Finding out what tools a connector has, in the background, one discovery at a time."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import uniform
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.envelope import SealBrokenError
from turnpike.database.failures import is_unavailable
from turnpike.database.tenancy import tenant_transaction
from turnpike.telemetry import adopt, span
from turnpike.tool_registry import metrics, tools
from turnpike.tool_registry.connectors import Connectors
from turnpike.tool_registry.definitions import to_tool
from turnpike.tool_registry.links.faults import LinkError
from turnpike.tool_registry.links.pool import Links
from turnpike.tool_registry.model import ConnectorNotFoundError, Tool

if TYPE_CHECKING:
    from turnpike.tool_registry.links.link import Link

logger = logging.getLogger(__name__)

MAX_PAGES = 50
MAX_TOOLS = 1000
MAX_BYTES = 5 * 1024 * 1024

_FRESH = timedelta(minutes=15)
_PAUSE = timedelta(seconds=30)
_DISCOVERY_SECONDS = 75.0
# A discovery whose process died is taken up by another after this long.
_CLAIM = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Listing:
    """The tools that a server showed, and what is to be said of the list."""

    tools: list[Tool]
    remark: str


class Discoveries:
    """The discoveries that run in this process."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        connectors: Connectors,
        links: Links,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._engine = engine
        self._connectors = connectors
        self._links = links
        self._tasks = tasks
        self._running: dict[tuple[UUID, str], asyncio.Task[None]] = {}

    def start(
        self, tenant: UUID, connector: str, *, although_fresh: bool = False
    ) -> "asyncio.Task[None]":
        """Discovers a connector's tools in the background.

        It does so if they are due, or `although_fresh`, and nobody does it already.
        """
        key = (tenant, connector)
        known = self._running.get(key)
        if known is not None:
            return known
        discovery = self._own(tenant, connector, although_fresh)
        task = self._tasks.create_task(discovery, name=f"discover {connector}")
        self._running[key] = task
        task.add_done_callback(lambda _: self._running.pop(key, None))
        return task

    async def _own(self, tenant: UUID, connector: str, although_fresh: bool) -> None:
        adopt(None)
        try:
            with span(f"discover {connector}", "internal"):
                if although_fresh:
                    async with tenant_transaction(self._engine, tenant) as connection:
                        await tools.expire(connection, tenant, connector)
                await self._discover(tenant, connector)
        except Exception as error:
            # The sweep, or the next listing, tries again.
            if not is_unavailable(error):
                logger.exception("the discovery of %r failed", connector)

    async def _discover(self, tenant: UUID, connector: str) -> None:
        # Due again at once is what was changed meanwhile.
        while (generation := await self._claim(tenant, connector)) is not None:
            try:
                listing = await self._fetch(tenant, connector)
            except ConnectorNotFoundError:
                return
            except (LinkError, TimeoutError, SealBrokenError) as error:
                reason = str(error) or "the server did not answer in time"
                await self._note_failure(tenant, connector, generation, reason)
            else:
                await self._store(tenant, connector, generation, listing)

    async def _claim(self, tenant: UUID, connector: str) -> int | None:
        async with tenant_transaction(self._engine, tenant) as connection:
            return await tools.claim_discovery(connection, tenant, connector, lease=_CLAIM)

    async def _fetch(self, tenant: UUID, connector: str) -> Listing:
        async with tenant_transaction(self._engine, tenant) as connection:
            stored = await self._connectors.get(connection, tenant, connector)
        key = (tenant, connector, stored.connector.etag)
        async with (
            asyncio.timeout(_DISCOVERY_SECONDS),
            self._links.using(key, stored.endpoint) as link,
        ):
            return await fetch_listing(link, connector)

    async def _store(self, tenant: UUID, connector: str, generation: int, listing: Listing) -> None:
        fresh = _FRESH * uniform(0.9, 1.1)  # noqa: S311 # no secret
        async with tenant_transaction(self._engine, tenant) as connection:
            current = await tools.replace_tools(
                connection,
                tenant,
                connector,
                generation,
                listing.tools,
                remark=listing.remark,
                fresh=fresh,
            )
        metrics.DISCOVERIES.labels("ok" if current else "outdated").inc()

    async def _note_failure(
        self, tenant: UUID, connector: str, generation: int, reason: str
    ) -> None:
        metrics.DISCOVERIES.labels("failed").inc()
        logger.warning("the tools of %r cannot be listed: %s", connector, reason)
        async with tenant_transaction(self._engine, tenant) as connection:
            await tools.note_failure(
                connection,
                tenant,
                connector,
                generation,
                reason="".join(c if c.isprintable() else " " for c in reason[:500]),
                pause=_PAUSE * uniform(0.8, 1.2),  # noqa: S311 # no secret
            )


async def fetch_listing(link: "Link", connector: str) -> Listing:
    """Returns a server's tools, all pages, cut where they are too many.

    Raises:
        LinkError: The server does not answer, or not with a list.
    """
    found: dict[str, Tool] = {}
    size = left_out = 0
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await link.list_tools(cursor)
        for shown in _shown(page):
            tool = to_tool(connector, shown)
            if tool is None or tool.name in found:
                left_out += 1
                continue
            size += len(tool.definition)
            if len(found) == MAX_TOOLS or size > MAX_BYTES:
                return Listing(list(found.values()), f"the list was cut after {len(found)} tools")
            found[tool.name] = tool
        before, cursor = cursor, _cursor(page)
        if cursor is None or cursor == before:
            remark = f"{left_out} tools were left out" if left_out else ""
            return Listing(list(found.values()), remark)
    return Listing(list(found.values()), f"the list was cut after {MAX_PAGES} pages")


def _shown(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    shown = page.get("tools")
    if not isinstance(shown, list):
        raise LinkError("the server's list of tools is not one")
    return [cast("dict[str, Any]", tool) if isinstance(tool, dict) else {} for tool in shown]


def _cursor(page: Mapping[str, Any]) -> str | None:
    cursor = page.get("nextCursor")
    return cursor if isinstance(cursor, str) and cursor else None
