"""Versions by id, kept in memory: they never change."""

import asyncio
from collections import OrderedDict
from sys import getsizeof
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.agents import store
from turnpike.agent_runtime.agents.model import AgentSpec, Version
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.database.tenancy import tenant_transaction

_MAX_BYTES = 32 << 20
# What an entry costs beside its texts.
_OVERHEAD_BYTES = 1000
_RULE_BYTES = 500


class Versions:
    """Agent versions of all tenants, least recently used ones dropped by bytes.

    A version is asked of Postgres once, however many turns want it at the same
    moment. What is returned is frozen: nobody can change what others get.
    """

    def __init__(self, engine: AsyncEngine, *, max_bytes: int = _MAX_BYTES) -> None:
        self._engine = engine
        self._max_bytes = max_bytes
        self._bytes = 0
        self._specs: OrderedDict[tuple[UUID, UUID], Version] = OrderedDict()
        self._loading: dict[tuple[UUID, UUID], asyncio.Future[None]] = {}

    async def get(self, tenant: UUID, version: UUID) -> Version:
        """Returns a tenant's version, or raises `NotFoundError`."""
        key = (tenant, version)
        while True:
            if known := self._specs.get(key):
                self._specs.move_to_end(key)
                return known
            if loading := self._loading.get(key):
                # Whoever loads may fail or be cancelled; then the next one does.
                await asyncio.wait({loading})
                continue
            return await self._load(key)

    async def _load(self, key: tuple[UUID, UUID]) -> Version:
        tenant, id_ = key
        done = self._loading[key] = asyncio.get_running_loop().create_future()
        try:
            async with tenant_transaction(self._engine, tenant) as connection:
                version = await store.get_version(connection, id_)
        finally:
            del self._loading[key]
            done.set_result(None)
        if version is None:
            raise NotFoundError("agent version", str(id_))
        self._keep(key, version)
        return version

    def _keep(self, key: tuple[UUID, UUID], version: Version) -> None:
        self._specs[key] = version
        self._bytes += _size(version.spec)
        while self._bytes > self._max_bytes and len(self._specs) > 1:
            _, dropped = self._specs.popitem(last=False)
            self._bytes -= _size(dropped.spec)


def _size(spec: AgentSpec) -> int:
    texts = (spec.model, spec.instructions, *spec.tools, *spec.skills)
    rules = len(spec.policy.layer.rules)
    return _OVERHEAD_BYTES + rules * _RULE_BYTES + sum(getsizeof(text) for text in texts)
