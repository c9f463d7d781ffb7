"""The committed part of the logs, in Postgres."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_service_pb2 import WatchTurnResponse

_BATCHES = 50

_AFTER = "SELECT read_batches($1, $2, $3, $4)"
_HEADS = "SELECT id, committed_seq FROM turns WHERE id = ANY($1)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a turn's log stands in Postgres."""

    tenant: UUID
    turn: UUID
    committed: int
    reserved: int
    ended: bool


def pack(events: list[Event]) -> bytes:
    """Returns events as they are stored."""
    return WatchTurnResponse(events=events).SerializeToString()


class Batches:
    """Reads committed events."""

    def __init__(self, pool: asyncpg.Pool, system_pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._system_pool = system_pool

    async def after(self, tenant: UUID, turn: UUID, cursor: int) -> list[Event]:
        """Returns committed events above `cursor`, in order; some of them when there are many."""
        rows = await self._pool.fetch(_AFTER, tenant, turn, cursor, _BATCHES)
        return [
            event
            for row in rows
            for event in WatchTurnResponse.FromString(row[0]).events
            if event.seq > cursor
        ]

    async def committed(self, turns: list[UUID]) -> dict[UUID, int]:
        """Returns the last committed number of each turn that exists, of any tenant."""
        rows = await self._system_pool.fetch(_HEADS, turns)
        return {row["id"]: row["committed_seq"] for row in rows}
