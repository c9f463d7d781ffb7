"""What waits for whom."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.approvals import store
from turnpike.agent_runtime.approvals.model import Approval
from turnpike.agent_runtime.approvals.visibility import Viewer
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.database.failures import is_unavailable
from turnpike.database.tenancy import tenant_transaction

_LOOK_SECONDS = 1.0


class Inbox:
    """Shows approvals to those who may see them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, viewer: Viewer, approval: UUID) -> Approval:
        """Returns an approval, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, viewer.tenant) as connection:
            found = await store.get(connection, approval, viewer)
        if found is None:
            raise NotFoundError("approval", str(approval))
        return found

    async def page(
        self,
        viewer: Viewer,
        *,
        statuses: Sequence[str],
        thread: UUID | None,
        agent: str | None,
        mine: bool,
        before: int | None,
        limit: int,
    ) -> list[Approval]:
        """Returns approvals, newest first."""
        async with tenant_transaction(self._engine, viewer.tenant) as connection:
            return await store.page(
                connection,
                viewer,
                statuses=statuses,
                thread=thread,
                agent=agent,
                mine=mine,
                before=before,
                limit=limit,
            )

    async def watch(self, viewer: Viewer) -> AsyncGenerator[tuple[int, int]]:
        """Yields how many wait that they may see, and may decide: at once and at each change."""
        told = None
        while True:
            try:
                async with tenant_transaction(self._engine, viewer.tenant) as connection:
                    counted = await store.count(connection, viewer)
            except Exception as error:
                if not is_unavailable(error):
                    raise
            else:
                if counted != told:
                    told = counted
                    yield counted
            await asyncio.sleep(_LOOK_SECONDS)
