"""By which plan a tenant's vectors are searched."""

import time
from collections.abc import Set
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.searching import rows
from turnpike.embedding.searching.indexes import shared_name, tenant_name
from turnpike.embedding.searching.model import Plan

_KEPT_SECONDS = 10.0
_MOST_KEPT = 10_000


class Plans:
    """Chooses plans, and keeps what it chose for some seconds.

    Every plan finds the same: what a tenant has grown or lost since costs time alone.

    Args:
        exact_most: Up to how many vectors of a tenant are all compared.
    """

    def __init__(self, *, exact_most: int) -> None:
        self._most = exact_most + 1
        self._kept: dict[tuple[UUID, frozenset[str]], tuple[float, Plan]] = {}

    async def choose(self, connection: AsyncConnection, tenant: UUID, models: Set[str]) -> Plan:
        """Returns the plan for the model of which a tenant has most vectors."""
        key, now = (tenant, frozenset(models)), time.monotonic()
        until, plan = self._kept.get(key, (0.0, Plan.EXACT))
        if until < now:
            plan = await self._choose(connection, tenant, models)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = now + _KEPT_SECONDS, plan
        return plan

    async def _choose(self, connection: AsyncConnection, tenant: UUID, models: Set[str]) -> Plan:
        counts = {
            model: await rows.count(connection, tenant, model, self._most) for model in models
        }
        large = [model for model, count in counts.items() if count == self._most]
        if not large:
            return Plan.EXACT
        own = {tenant_name(tenant, model) for model in large}
        shared = {shared_name(model) for model in large}
        there = await rows.indexes(connection, [*own, *shared])
        if own <= there:
            return Plan.PARTIAL_INDEX
        return Plan.ITERATIVE if shared <= there else Plan.EXACT
