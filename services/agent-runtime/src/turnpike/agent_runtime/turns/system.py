"""The statements that look at every tenant: sweeps and ownership. Nothing else may."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.turns.model import Owed, Turn
from turnpike.agent_runtime.turns.queries import CLAIM_COLUMNS, turn_of
from turnpike.agent_runtime.turns.rows import HOLD, owed_in

# One claimer each: SKIP LOCKED passes over rows that another sweep is claiming. A
# process that was declared dead, and does not know it yet, claims nothing.
_CLAIM_DUE = text(
    "UPDATE turns SET owner = :owner, owner_name = :owner_name, fence = fence + 1,"  # noqa: S608 # the columns are a constant
    " due_at = NULL, fruitless = fruitless + 1,"
    # Whoever waited for a provider goes on: whether it may ask is seen when it asks; and whether
    # it is admitted, when that is asked.
    " status = CASE WHEN waiting_for IN ('provider', 'admission') THEN 'RUNNING' ELSE status END,"
    " waiting_for = CASE WHEN waiting_for IN ('provider', 'admission') THEN '' ELSE waiting_for END"
    " WHERE id IN (SELECT id FROM turns WHERE due_at <= statement_timestamp()"
    "  AND status IN ('QUEUED', 'RUNNING', 'WAITING')"
    "  AND EXISTS (SELECT FROM replicas r WHERE r.id = :owner AND NOT r.dead)"
    "  ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED)"
    f" RETURNING {CLAIM_COLUMNS}"
)
# The second claim without progress waits a little: what broke may mend. What is to
# be cancelled waits for nothing. By their positions, as whoever else locks several turns: one
# that ends locks the next one of its thread behind it.
_MAKE_DUE = text(
    "UPDATE turns SET owner = NULL, due_at = statement_timestamp()"
    " + CASE WHEN fruitless >= 2 AND desired = '' THEN interval '2 seconds'"
    "   ELSE interval '0' END"
    " WHERE id IN (SELECT id FROM turns WHERE owner = :owner ORDER BY position FOR NO KEY UPDATE)"
    " AND owner = :owner RETURNING id"
)
# A process that was declared dead may have claimed something after that: it was
# stopped between the look at its lease and the statement. Locked ones are being
# made due, or written by whoever finds out in a moment.
_FREE_ORPHANS = text(
    "UPDATE turns SET owner = NULL, due_at = statement_timestamp()"
    " WHERE id IN (SELECT id FROM turns t WHERE owner IS NOT NULL AND NOT EXISTS"
    "  (SELECT FROM replicas r WHERE r.id = t.owner AND NOT r.dead)"
    "  FOR UPDATE SKIP LOCKED)"
    " RETURNING id"
)
_LET_GO = text(
    "UPDATE turns SET owner = NULL, due_at = statement_timestamp()"
    " + CASE WHEN desired = '' THEN :delay ELSE interval '0' END,"
    " fruitless = greatest(fruitless - :forgive, 0)"
    " WHERE id = :turn AND owner = :owner AND fence = :fence"  # fence
)
_REMARKABLE = text(
    "SELECT id, fence, desired FROM turns WHERE owner = :owner"
    " AND (desired <> '' OR NOT id = ANY(:running))"
)


# Nothing is added to a segment after the row that ends it.
# After every turn: by the driver's pool, one round trip each.
_CLAIM_OWED = """
UPDATE usage_outbox o SET due_at = statement_timestamp() + $1, tries = tries + 1
WHERE id IN (SELECT id FROM usage_outbox WHERE due_at <= statement_timestamp()
  ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING id, tenant, turn, segment, snapshot, entries, ends, tries,
  (SELECT count(*) FROM usage_outbox s WHERE s.turn = o.turn AND s.segment = o.segment)
    AS of_segment
"""
_SETTLED = "DELETE FROM usage_outbox WHERE id = ANY($1)"
_OWED_LATER = "UPDATE usage_outbox SET due_at = statement_timestamp() + $2 WHERE id = ANY($1)"


@dataclass(frozen=True, slots=True)
class Owned:
    """A turn as its owner is to look at it."""

    turn: UUID
    fence: int
    desired: str


async def claim_due(
    connection: AsyncConnection, *, owner: UUID, owner_name: str, limit: int
) -> list[Turn]:
    """Claims turns that are due, oldest first, raising their fences."""
    rows = await connection.execute(
        _CLAIM_DUE, {"owner": owner, "owner_name": owner_name, "limit": limit}
    )
    return [turn_of(row) for row in rows.mappings()]


async def make_due(connection: AsyncConnection, owner: UUID) -> int:
    """Makes everything that a dead replica owned due; says how many turns that were."""
    return len((await connection.execute(_MAKE_DUE, {"owner": owner})).all())


async def free_orphans(connection: AsyncConnection) -> int:
    """Makes due what is owned by nobody who lives; says how many turns that were."""
    return len((await connection.execute(_FREE_ORPHANS)).all())


async def let_go(
    connection: AsyncConnection,
    *,
    turn: UUID,
    owner: UUID,
    fence: int,
    delay: timedelta,
    forgive: bool,
) -> None:
    """Gives a turn up, to be claimed after a delay; does nothing when it is another's already.

    Args:
        connection: A transaction of the system role.
        turn: The turn.
        owner: The replica that owns it.
        fence: Its claim's fence.
        delay: How long nobody shall claim it.
        forgive: The claim is not to be counted against the turn.
    """
    await connection.execute(
        _LET_GO,
        {
            "turn": turn,
            "owner": owner,
            "fence": fence,
            "delay": delay,
            "forgive": int(forgive),
        },
    )


async def owned_by(
    connection: AsyncConnection, owner: UUID, *, running: Sequence[UUID]
) -> list[Owned]:
    """Returns those of a replica's turns that it does not run, or that are to be cancelled."""
    rows = await connection.execute(_REMARKABLE, {"owner": owner, "running": list(running)})
    return [Owned(turn=row.id, fence=row.fence, desired=row.desired) for row in rows]


async def claim_owed(pool: asyncpg.Pool, *, limit: int) -> list[Owed]:
    """Claims what is to be settled for a while, oldest first."""
    return owed_in(await pool.fetch(_CLAIM_OWED, HOLD, limit))


async def settled(pool: asyncpg.Pool, ids: Sequence[int]) -> None:
    """Forgets what gatekeeper's ledger has."""
    await pool.execute(_SETTLED, list(ids))


async def owed_later(pool: asyncpg.Pool, ids: Sequence[int], *, delay: timedelta) -> None:
    """Leaves what could not be settled to whoever claims it after a delay."""
    await pool.execute(_OWED_LATER, list(ids), delay)
