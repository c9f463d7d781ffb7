"""Who may ask a provider that failed whether it is back: one turn for each credential."""

from datetime import timedelta
from uuid import UUID

import asyncpg

_BEGIN = "SELECT begin_outage($1, $2, $3, $4)"
_TAKE = "SELECT take_probe($1, $2, $3, $4)"
_END = "SELECT end_outage($1, $2)"
_RAMP = timedelta(milliseconds=20)
_AGAIN = timedelta(seconds=1)


class Outages:
    """Postgres decides, for all replicas. By the system role: a credential may be many tenants'."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def begin(
        self, credential: str, delay: timedelta, turn: UUID, *, told: bool
    ) -> timedelta:
        """Notes that a provider fails; returns in how long it may be asked again.

        `told` is whether the provider asked for that delay: then it is neither more nor less.
        """
        return await self._pool.fetchval(_BEGIN, credential, delay, turn, told)

    async def take_probe(self, credential: str, turn: UUID, fence: int) -> timedelta:
        """Returns how long a turn is to wait before it may ask; nothing: it may."""
        return await self._pool.fetchval(_TAKE, credential, turn, fence, _AGAIN)

    async def end(self, credential: str) -> int:
        """Says that a provider answers again; returns how many turns are due by that."""
        return await self._pool.fetchval(_END, credential, _RAMP)
