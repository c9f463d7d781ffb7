"""Deletes what documents were made of once nothing is made of it any more."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.blobs.model import BlobStore, BlobsUnavailableError, parse_key
from turnpike.database.sweeping import sweep_every
from turnpike.database.tenancy import system_transaction, tenant_transaction
from turnpike.embedding.knowledge import leftover_rows
from turnpike.embedding.knowledge.leftover_rows import Leftover

_SWEEP_SECONDS = 15.0


class Leftovers:
    """The contents that deleted collections leave, and the bytes of writes that were broken off."""

    def __init__(self, system: AsyncEngine, engine: AsyncEngine, blobs: BlobStore) -> None:
        self._system = system
        self._engine = engine
        self._blobs = blobs

    @asynccontextmanager
    async def sweeping(self) -> AsyncGenerator[None]:
        """Deletes them while the block runs."""
        async with asyncio.TaskGroup() as tasks:
            # What was claimed by a sweep that failed is due again later.
            sweeps = sweep_every(
                _SWEEP_SECONDS,
                self.sweep,
                later="leftovers are deleted later",
                spared=(BlobsUnavailableError,),
            )
            running = tasks.create_task(sweeps, name="sweep leftovers")
            yield
            running.cancel()

    async def sweep(self) -> int:
        """Looks at all that is due; returns how much it was."""
        seen = 0
        while leftover := await self._claim():
            await self._delete(leftover)
            seen += 1
        return seen

    async def _claim(self) -> Leftover | None:
        async with system_transaction(self._system) as connection:
            return await leftover_rows.claim(connection)

    async def _delete(self, leftover: Leftover) -> None:
        async with tenant_transaction(self._engine, leftover.tenant) as connection:
            if not await leftover_rows.is_gone(connection, leftover):
                return
        # The bytes first: whoever dies between leaves them to be found again.
        if blob := parse_key(leftover.blob):
            await self._blobs.delete(blob)
        async with tenant_transaction(self._engine, leftover.tenant) as connection:
            await leftover_rows.forget(connection, leftover)
