"""What callers ask for: a turn, or its cancellation; one SQL function, one round trip each.

They use the driver's pool, because the path from a request to its first word
crosses this module; see also `store`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import orjson

from turnpike.agent_runtime.turns.model import StartRequest
from turnpike.rpc.errors import InvalidArgumentError

_CLAIM = "SELECT * FROM claim_filtered({})".format(", ".join(f"${i}" for i in range(1, 23)))  # noqa: S608 # placeholders
_CANCEL = "SELECT * FROM cancel_turn($1, $2, $3, $4)"
_FILE_GONE = "TPF01"
_QUEUE_DEADLINE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What became of a claim: CREATED, QUEUED, EXISTS, REUSED, BUSY, NO_THREAD, NO_AGENT, POLICY.

    POLICY says that another version of the tenant's counts than that whose filters it passed.
    """

    outcome: str
    turn: UUID
    thread: UUID
    version: UUID
    attempt: int
    position: int
    created: datetime


class TurnRequests:
    """Writes what callers ask for; nobody needs a claim for that."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def claim(
        self,
        request: StartRequest,
        *,
        turn: UUID,
        new_thread: UUID,
        version: UUID | None,
        digest: bytes,
        policy: UUID | None,
        owner: UUID,
        owner_name: str,
        reserve: int,
    ) -> Claimed:
        """Claims the request's id and its thread, or finds who did."""
        row = await self._claimed(
            policy,
            not request.asks_model,
            request.tenant,
            turn,
            request.thread or new_thread,
            request.thread is None,
            request.principal,
            request.any_principal,
            request.api_key,
            request.request_id,
            digest,
            request.agent,
            version,
            orjson.dumps(request.input).decode(),
            request.time_zone,
            orjson.dumps(dict(request.metadata)).decode(),
            request.traceparent,
            request.enqueue,
            _QUEUE_DEADLINE,
            owner,
            owner_name,
            reserve,
        )
        assert row is not None, "a function with OUT parameters returns one row"  # noqa: S101
        return Claimed(**dict(row))

    async def _claimed(self, *values: object) -> asyncpg.Record | None:
        try:
            return await self._pool.fetchrow(_CLAIM, *values)
        except asyncpg.PostgresError as error:
            if error.sqlstate == _FILE_GONE:
                # It was deleted between its look-up and the claim that would have held it.
                raise InvalidArgumentError("input", "a file of it is deleted") from error
            raise

    async def cancel(
        self, tenant: UUID, turn: UUID, principal: UUID, *, any_principal: bool
    ) -> tuple[str, UUID | None]:
        """Asks for a cancellation: NONE, ENDED, ASKED (with the owner) or DUE."""
        row = await self._pool.fetchrow(_CANCEL, tenant, turn, principal, any_principal)
        assert row is not None, "a function with OUT parameters returns one row"  # noqa: S101
        return row["outcome"], row["owner"]
