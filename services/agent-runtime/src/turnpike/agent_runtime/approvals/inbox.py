"""What waits for whom."""

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.approvals import listing
from turnpike.agent_runtime.approvals.model import Approval
from turnpike.agent_runtime.approvals.visibility import Selection, Viewer, Waiting
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.database.failures import is_unavailable
from turnpike.database.tenancy import tenant_transaction

_LOOK_SECONDS = 1.0
_SILENCE_SECONDS = 15.0


class Inbox:
    """Shows approvals to those who may see them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, viewer: Viewer, approval: UUID) -> Approval:
        """Returns an approval, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, viewer.tenant) as connection:
            found = await listing.get(connection, approval, viewer)
        if found is None:
            raise NotFoundError("approval", str(approval))
        return found

    async def page(
        self, viewer: Viewer, selection: Selection, *, before: int | None, limit: int
    ) -> list[Approval]:
        """Returns approvals, newest first."""
        async with tenant_transaction(self._engine, viewer.tenant) as connection:
            return await listing.page(connection, viewer, selection, before=before, limit=limit)

    async def watch(self, viewer: Viewer) -> AsyncGenerator[Waiting]:
        """Yields what waits: at once, at each change, and again after a silence."""
        told, told_at = None, 0.0
        while True:
            try:
                async with tenant_transaction(self._engine, viewer.tenant) as connection:
                    counted = await listing.count(connection, viewer)
            except Exception as error:
                if not is_unavailable(error):
                    raise
            else:
                if counted != told or monotonic() - told_at >= _SILENCE_SECONDS:
                    told, told_at = counted, monotonic()
                    yield counted
            await asyncio.sleep(_LOOK_SECONDS)
