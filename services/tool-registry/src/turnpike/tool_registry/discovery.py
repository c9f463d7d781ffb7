"""Finding out what tools a connector has, in the background, one discovery at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import uniform
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.envelope import SealBrokenError
from turnpike.database.failures import is_unavailable, persist
from turnpike.database.replicas import Lease
from turnpike.database.tenancy import tenant_transaction
from turnpike.telemetry import adopt, span
from turnpike.tool_registry import metrics, pins, refreshes, tools
from turnpike.tool_registry.access import Access
from turnpike.tool_registry.connectors import StoredConnector
from turnpike.tool_registry.errors import ConnectorNotFoundError, VariableUnusableError
from turnpike.tool_registry.judgement import Judgement, judge
from turnpike.tool_registry.links.faults import LinkError, SessionEndedError
from turnpike.tool_registry.links.pool import Key, Links
from turnpike.tool_registry.listings import Listing, fetch_listing
from turnpike.tool_registry.model import Fault, ToolState, Warn
from turnpike.tool_registry.refreshes import Claim
from turnpike.tool_registry.tools import Seen

logger = logging.getLogger(__name__)

_PAUSE = timedelta(seconds=30)
_DISCOVERY_SECONDS = 75.0
# Longer than a discovery may take; who is known to be dead is not waited for.
_CLAIM = timedelta(seconds=90)
# How long Postgres is waited for once a list is claimed.
_AWAY_SECONDS = 60.0
_POLL_SECONDS = 0.05

_Asking: TypeAlias = Callable[[AsyncConnection, UUID, str], Awaitable[bool]]
"""Asks something of a connector's row."""


class Discoveries:
    """The discoveries that run in this process."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        access: Access,
        links: Links,
        lease: Lease,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._lease = lease
        self._engine = engine
        self._access = access
        self._links = links
        self._tasks = tasks
        self._running: dict[tuple[UUID, str], asyncio.Task[None]] = {}
        self._reading = set[tuple[UUID, str]]()
        self._wished = set[tuple[UUID, str]]()
        self._changed = set[tuple[UUID, str]]()
        self._noting = set[tuple[UUID, str]]()

    def start(
        self, tenant: UUID, connector: str, *, although_fresh: bool = False, anyway: bool = False
    ) -> "asyncio.Task[None]":
        """Discovers a connector's tools in the background.

        It does so if they are due, or `although_fresh`, and nobody does it already;
        with `anyway` also when the connector is failing, and its time has not come, and
        once more when the discovery that is under way may have read the list before.
        """
        key = (tenant, connector)
        known = self._running.get(key)
        if known is not None and not known.done():
            if anyway and key not in self._reading:
                self._wished.add(key)
            return known
        discovery = self._own(tenant, connector, although_fresh or anyway, anyway)
        task = self._tasks.create_task(discovery, name=f"discover {connector}")
        self._running[key] = task
        task.add_done_callback(lambda ended: self._forget(key, ended))
        return task

    def _forget(self, key: tuple[UUID, str], ended: "asyncio.Task[None]") -> None:
        if self._running.get(key) is ended:
            del self._running[key]
            self._wished.discard(key)

    def note_change(self, tenant: UUID, connector: str) -> None:
        """Discovers anew what its server said has changed, even if it is being read now."""
        key = (tenant, connector)
        self._changed.add(key)
        if key not in self._noting:
            self._noting.add(key)
            self._tasks.create_task(self._note_changes(key), name="changed")

    async def discover_anew(self, tenant: UUID, connector: str, *, seconds: float) -> None:
        """Has a connector's tools discovered whatever is known of them; waits so long at most."""
        give_up_at = asyncio.get_running_loop().time() + seconds
        await self._note_change(tenant, connector)
        await asyncio.wait([self.start(tenant, connector)], timeout=seconds)
        # Another replica may be at it, or have been first.
        await self._while(refreshes.is_due, tenant, connector, give_up_at)

    async def refresh(self, tenant: UUID, connector: str, *, seconds: float) -> None:
        """Discovers a connector's tools now, or joins who does; waits so long at most."""
        give_up_at = asyncio.get_running_loop().time() + seconds
        await asyncio.wait([self.start(tenant, connector, anyway=True)], timeout=seconds)
        # Another replica may be at it.
        await self._while(refreshes.is_claimed, tenant, connector, give_up_at)

    async def _while(self, holds: _Asking, tenant: UUID, connector: str, until: float) -> None:
        """Waits for what a connector's row tells to hold no more, up to a moment of the loop."""
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            async with tenant_transaction(self._engine, tenant) as connection:
                if not await holds(connection, tenant, connector):
                    return
            await asyncio.sleep(_POLL_SECONDS)

    async def _note_changes(self, key: tuple[UUID, str]) -> None:
        try:
            # Told while the one before was noted: another replica may have read the list between.
            while key in self._changed:
                self._changed.discard(key)
                await self._note_change(*key)
        finally:
            self._noting.discard(key)

    async def _note_change(self, tenant: UUID, connector: str) -> None:
        adopt(None)
        try:
            async with tenant_transaction(self._engine, tenant) as connection:
                await refreshes.note_change(connection, tenant, connector)
        except Exception as error:
            if not is_unavailable(error):
                logger.exception("a change of %r was not noted", connector)
            return
        self.start(tenant, connector)

    async def _own(
        self, tenant: UUID, connector: str, although_fresh: bool, although_failing: bool
    ) -> None:
        adopt(None)
        try:
            with span(f"discover {connector}", "internal"):
                if although_fresh:
                    await self._expire(tenant, connector, although_failing=although_failing)
                await self._discover(tenant, connector)
                # Whoever came after the list was read, or where it was not due, has it read now.
                while (tenant, connector) in self._wished:
                    self._wished.discard((tenant, connector))
                    await self._expire(tenant, connector, although_failing=True)
                    await self._discover(tenant, connector)
        except Exception as error:
            # The sweep, or the next listing, tries again.
            if not is_unavailable(error):
                logger.exception("the discovery of %r failed", connector)

    async def _expire(self, tenant: UUID, connector: str, *, although_failing: bool) -> None:
        async with tenant_transaction(self._engine, tenant) as connection:
            await refreshes.expire(connection, tenant, connector, although_failing=although_failing)

    async def _discover(self, tenant: UUID, connector: str) -> None:
        # Due again at once is what was changed meanwhile.
        while (claim := await self._claim(tenant, connector)) is not None:
            await self._perform(tenant, connector, claim)

    async def _perform(self, tenant: UUID, connector: str, claim: Claim) -> None:
        # However Postgres fares meanwhile: nobody else reads it before the claim has run out.
        try:
            listing = await self._read(tenant, connector)
        except ConnectorNotFoundError:
            return
        except (LinkError, TimeoutError, SealBrokenError, VariableUnusableError) as error:
            await self._note_failure(tenant, connector, claim, error)
        else:
            await persist(lambda: self._store(tenant, connector, claim, listing), _AWAY_SECONDS)

    async def _claim(self, tenant: UUID, connector: str) -> Claim | None:
        async with tenant_transaction(self._engine, tenant) as connection:
            return await refreshes.claim(
                connection, tenant, connector, replica=self._lease.id, lease=_CLAIM
            )

    async def _read(self, tenant: UUID, connector: str) -> Listing:
        key = (tenant, connector)
        self._wished.discard(key)
        self._reading.add(key)
        try:
            return await self._fetch(tenant, connector)
        finally:
            self._reading.discard(key)

    async def _fetch(self, tenant: UUID, connector: str) -> Listing:
        stored = await self._found(tenant, connector)
        try:
            return await self._list(tenant, connector, stored)
        except LinkError as error:
            if error.fault is not Fault.AUTH_NEEDED:
                raise
            if not await self._access.is_renewed(tenant, connector, stored.loan):
                raise
        stored = await self._found(tenant, connector)
        return await self._list(tenant, connector, stored)

    async def _found(self, tenant: UUID, connector: str) -> StoredConnector:
        return await persist(lambda: self._access.for_discovery(tenant, connector), _AWAY_SECONDS)

    async def _list(self, tenant: UUID, connector: str, stored: StoredConnector) -> Listing:
        key = Key(tenant, connector, stored.connector.etag, stored.credential)
        try:
            async with asyncio.timeout(_DISCOVERY_SECONDS):
                try:
                    return await self._listed(key, stored)
                except SessionEndedError:
                    # Such as after its restart; it may give another session.
                    self._links.retire(key)
                    return await self._listed(key, stored)
        except LinkError as error:
            stored.veil.over_error(error)
            raise

    async def _listed(self, key: Key, stored: StoredConnector) -> Listing:
        async with self._links.using(key, stored.endpoint) as link:
            return await fetch_listing(link, key.connector)

    async def _store(self, tenant: UUID, connector: str, claim: Claim, listing: Listing) -> None:
        shown = list(listing.tools.values())
        while True:
            async with tenant_transaction(self._engine, tenant) as connection:
                basis = await pins.read_basis(connection, tenant, connector, claim.generation)
            if basis is None:
                metrics.DISCOVERIES.labels("outdated").inc()
                return
            # In a thread: a long list takes a while to go through.
            judgement = await asyncio.to_thread(judge, shown, basis)
            seen = _seen(claim, listing, judgement)
            async with tenant_transaction(self._engine, tenant) as connection:
                if await tools.replace_tools(
                    connection, tenant, connector, claim.generation, basis, judgement, seen
                ):
                    break
        metrics.DISCOVERIES.labels("ok").inc()
        _count(judgement)

    async def _note_failure(
        self, tenant: UUID, connector: str, claim: Claim, error: Exception
    ) -> None:
        metrics.DISCOVERIES.labels("failed").inc()
        reason = str(error) or "the server did not answer in time"

        async def note() -> None:
            async with tenant_transaction(self._engine, tenant) as connection:
                await refreshes.note_failure(
                    connection,
                    tenant,
                    connector,
                    claim.generation,
                    fault=fault_in(error),
                    reason="".join(c if c.isprintable() else " " for c in reason[:500]),
                    pause=_PAUSE * uniform(0.8, 1.2),  # noqa: S311 # no secret
                )

        await persist(note, _AWAY_SECONDS)


def fault_in(error: Exception) -> Fault:
    """Returns the fault that a discovery, or a probe, ended with."""
    if isinstance(error, LinkError):
        return error.fault
    if isinstance(error, VariableUnusableError):
        return Fault.VARIABLE
    return Fault.TIMEOUT if isinstance(error, TimeoutError) else Fault.CREDENTIAL


def _seen(claim: Claim, listing: Listing, judgement: Judgement) -> Seen:
    warnings, remark = list(listing.warnings), listing.remark
    if judgement.quarantined:
        warnings.append(Warn.TOOLS_QUARANTINED)
        waiting = f"{judgement.quarantined} tools wait for approval"
        remark = f"{remark}; {waiting}" if remark else waiting
    return Seen(
        begun=claim.begun,
        remark=remark,
        warnings=[warning.value for warning in warnings],
        fresh=listing.fresh * uniform(0.9, 1.1),  # noqa: S311 # no secret
        tells=listing.tells,
    )


def _count(judgement: Judgement) -> None:
    for tool in judgement.tools:
        if tool.state is ToolState.QUARANTINED:
            metrics.QUARANTINED.labels(tool.drift[0]).inc()
