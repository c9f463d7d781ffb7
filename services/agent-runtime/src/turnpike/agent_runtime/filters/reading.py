"""The filters of tenants, as a replica knows them.

A version of a policy never changes, so that its filters are kept, compiled. Which version
counts is said by the statements that read or write something anyhow.
"""

from collections import OrderedDict
from uuid import UUID

import asyncpg
import orjson

from turnpike.agent_runtime.filters.model import TextFilter
from turnpike.agent_runtime.filters.screens import Screen

_READ = "SELECT version, filters FROM read_filters($1, $2)"
_MOST_KEPT = 1024
_NONE = Screen(None)


class Screens:
    """Finds tenants' filters."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._kept: OrderedDict[UUID, Screen] = OrderedDict()

    def known(self, tenant: UUID) -> Screen:
        """Returns those that were read last; a later policy may have others."""
        return self._kept.get(tenant, _NONE)

    async def of(self, tenant: UUID, version: UUID | None) -> Screen:
        """Returns those of the version that counts."""
        known = self.known(tenant)
        return known if known.version == version else await self.current(tenant)

    async def current(self, tenant: UUID) -> Screen:
        """Returns those that count at this moment; they are read."""
        known = self.known(tenant)
        row = await self._pool.fetchrow(_READ, tenant, known.version)
        assert row is not None, "a function with OUT parameters returns one row"  # noqa: S101
        if row["version"] == known.version:
            return known
        stored = orjson.loads(row["filters"])
        screen = Screen(row["version"], map(TextFilter.from_dict, stored))
        self._kept[tenant] = screen
        self._kept.move_to_end(tenant)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return screen
