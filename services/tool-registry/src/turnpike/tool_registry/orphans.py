"""The few statements that see every tenant: leases, orphaned calls, connectors that are due."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.tool_registry.ledger import to_call
from turnpike.tool_registry.model import Call, CallStatus

_SETTLE = text("SELECT status, number FROM settle_orphans()")
_TAKE = text(
    "UPDATE calls c SET executor = :executor FROM ("
    "  SELECT tenant, effect FROM calls"
    "  WHERE status = 'PENDING' AND executor IS NULL"
    "  ORDER BY created LIMIT :room FOR UPDATE SKIP LOCKED) due"
    " WHERE c.tenant = due.tenant AND c.effect = due.effect RETURNING c.*, seconds_left(c)"
)
_LOST = text(
    "SELECT effect, status FROM calls WHERE effect = ANY(:effects)"
    " AND (status NOT IN ('PENDING', 'DISPATCHED') OR executor IS DISTINCT FROM :executor)"
).bindparams(bindparam("effects", type_=ARRAY(TEXT)))
_MINE = text(
    "SELECT c.*, seconds_left(c) FROM calls c"
    " WHERE status IN ('PENDING', 'DISPATCHED') AND executor = :executor"
    " AND created < statement_timestamp() - interval '2 seconds'"
)
_DUE = text(
    "SELECT tenant, name FROM connectors WHERE state <> 'OK'"
    " AND refresh_at <= statement_timestamp() ORDER BY refresh_at LIMIT :room"
)


@dataclass(frozen=True, slots=True)
class Settled:
    """How many orphaned calls went which way."""

    unknown: int
    due: int


async def settle(connection: AsyncConnection) -> Settled:
    """Settles the open calls of executors that are not alive."""
    numbers = {row.status: row.number for row in await connection.execute(_SETTLE)}
    return Settled(unknown=numbers.get("UNKNOWN", 0), due=numbers.get("PENDING", 0))


async def take(connection: AsyncConnection, executor: UUID, *, room: int) -> list[Call]:
    """Takes calls that nobody runs, for `executor` to run."""
    rows = await connection.execute(_TAKE, {"executor": executor, "room": room})
    return [to_call(row) for row in rows.mappings()]


async def find_lost(
    connection: AsyncConnection, executor: UUID, effects: list[str]
) -> dict[str, CallStatus]:
    """Returns those of `effects` that are over or somebody else's by now."""
    rows = await connection.execute(_LOST, {"executor": executor, "effects": effects})
    return {row.effect: CallStatus(row.status) for row in rows}


async def find_mine(connection: AsyncConnection, executor: UUID) -> list[Call]:
    """Returns the open calls that are `executor`'s to run, but for the newest."""
    rows = await connection.execute(_MINE, {"executor": executor})
    return [to_call(row) for row in rows.mappings()]


async def find_due_connectors(connection: AsyncConnection, *, room: int) -> list[tuple[UUID, str]]:
    """Returns connectors whose tools were never discovered, or that failed and may try again."""
    rows = await connection.execute(_DUE, {"room": room})
    return [(row.tenant, row.name) for row in rows]
