"""What Postgres says of those who ask for an admission: the one hot statement."""

import asyncpg

from turnpike.gatekeeper.model import Segment, Standing
from turnpike.gatekeeper.outages import postgres_answers

_TIMEOUT_SECONDS = 2.0


async def read_standing(pool: asyncpg.Pool, segment: Segment) -> Standing | None:
    """Reads bans, the key and the tenant's slots from the primary, in one round trip.

    Returns None when there is no such tenant.

    Raises:
        UnavailableError: Postgres does not answer.
    """
    with postgres_answers():
        async with pool.acquire(timeout=_TIMEOUT_SECONDS) as connection:
            row = await connection.fetchrow(
                "SELECT slots, idle, cause, until FROM admit($1, $2, $3, $4)",
                segment.tenant,
                segment.principal,
                segment.agent_owner,
                segment.key,
                timeout=_TIMEOUT_SECONDS,
            )
    return None if row is None else Standing(**row)
