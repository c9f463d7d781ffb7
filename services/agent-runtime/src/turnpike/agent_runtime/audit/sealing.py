"""Chaining what was recorded: beside the turns, so that none waits for another one's place."""

import logging
import time
from collections import OrderedDict
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.audit import store
from turnpike.agent_runtime.audit.model import Head, chained
from turnpike.database.sweeping import sweep_every
from turnpike.database.tenancy import system_transaction

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_MOST_AT_ONCE = 500
_TELL_SECONDS = 60.0
_MOST_TOLD = 10_000


class Sealer:
    """Chains the entries of all tenants. Every replica has one; a tenant's is chained by one."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._told: OrderedDict[UUID, float] = OrderedDict()

    async def serve(self) -> None:
        """Seals what was recorded until cancelled."""
        await sweep_every(_LOOK_SECONDS, self.seal, later="the audit is sealed later")

    async def seal(self) -> None:
        """Seals what is recorded by now."""
        async with system_transaction(self._engine) as connection:
            tenants = await store.tenants_to_seal(connection)
        for tenant in tenants:
            while await self._seal(tenant) == _MOST_AT_ONCE:
                continue

    async def _seal(self, tenant: UUID) -> int:
        async with system_transaction(self._engine) as connection:
            if not await store.take(connection, tenant):
                return 0
            head = await store.head_of(connection, tenant)
            entries = await store.unsealed(connection, tenant, _MOST_AT_ONCE)
            seals = chained(head, [(each.id, each.document) for each in entries])
            if seals:
                await store.seal(connection, tenant, entries, seals)
        if seals:
            self._tell(tenant, Head(seals[-1].position, seals[-1].hash))
        return len(seals)

    def _tell(self, tenant: UUID, head: Head) -> None:
        """Logs a head each minute: where logs are kept, it shows if the audit was cut."""
        now = time.monotonic()
        if now - self._told.get(tenant, -_TELL_SECONDS) < _TELL_SECONDS:
            return
        self._told[tenant] = now
        self._told.move_to_end(tenant)
        if len(self._told) > _MOST_TOLD:
            self._told.popitem(last=False)
        logger.info("the audit of %s is sealed up to %d:%s", tenant, head.position, head.hash)
