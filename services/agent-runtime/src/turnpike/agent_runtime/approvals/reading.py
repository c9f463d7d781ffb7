"""What people said of a step, for whoever goes on with it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.approvals import store
from turnpike.agent_runtime.approvals.reviews import Reviews, reviews_of


async def read_reviews(connection: AsyncConnection, turn: UUID, open_step: int | None) -> Reviews:
    """Returns what was decided of a step whose calls have not ended, and for all of its turn."""
    always = await store.always(connection, turn)
    asked = [] if open_step is None else await store.of_step(connection, turn, open_step)
    return reviews_of(asked, frozenset(always))
