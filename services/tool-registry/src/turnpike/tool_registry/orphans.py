"""The few statements that see every tenant: leases, orphaned calls, what is due or over.

A sweep takes up very many rows in one transaction. So it waits for nobody: it passes by what
somebody else works on, and the next one, in half a second, comes back to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
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
# By their tenants too: the key begins with it, and the ledger is long.
_LOST = text(
    "SELECT c.effect, c.status FROM unnest(:tenants, :effects) AS mine (tenant, effect)"
    " JOIN calls c USING (tenant, effect)"
    " WHERE c.status NOT IN ('PENDING', 'DISPATCHED') OR c.executor IS DISTINCT FROM :executor"
).bindparams(bindparam("tenants", type_=ARRAY(Uuid)), bindparam("effects", type_=ARRAY(TEXT)))
_MINE = text(
    "SELECT c.*, seconds_left(c) FROM calls c"
    " WHERE status IN ('PENDING', 'DISPATCHED') AND executor = :executor"
    " AND created < statement_timestamp() - interval '2 seconds'"
)
_DUE = text(
    "SELECT tenant, name FROM connectors WHERE (state <> 'OK' OR changed) AND enabled"
    " AND refresh_at <= statement_timestamp()"
    " AND coalesce(claimed_until <= statement_timestamp(), true)"
    " ORDER BY refresh_at LIMIT :room"
)
# Servers that tell of changes are listened to by one replica each, while they are used.
_LISTEN = text(
    "UPDATE connectors c SET listener = :replica FROM ("
    "  SELECT tenant, name FROM connectors l WHERE tells AND enabled AND transport <> 'STDIO'"
    "  AND used > statement_timestamp() - interval '30 minutes'"
    "  AND NOT EXISTS (SELECT FROM replicas r WHERE r.id = l.listener AND NOT r.dead)"
    "  ORDER BY used DESC LIMIT :room FOR NO KEY UPDATE SKIP LOCKED) free"
    " WHERE c.tenant = free.tenant AND c.name = free.name"
)
_MY_EARS = text(
    "SELECT tenant, name, etag FROM connectors WHERE listener = :replica AND tells AND enabled"
    " AND used > statement_timestamp() - interval '30 minutes'"
)
# What had changed when they began is to be read by somebody.
_FREE = text(
    "UPDATE connectors c SET claimed_until = NULL, changed = true,"
    " refresh_at = statement_timestamp() FROM ("
    "  SELECT tenant, name FROM connectors l WHERE claimed_until IS NOT NULL"
    "  AND NOT EXISTS (SELECT FROM replicas r WHERE r.id = l.claimed_by AND NOT r.dead)"
    "  AND claimed_by IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED) left_over"
    " WHERE c.tenant = left_over.tenant AND c.name = left_over.name"
)
# In order, as `tools.note_use`: who ends does not come back to what it passes by.
_LET_GO = text(
    "UPDATE connectors c SET listener = NULL FROM ("
    "  SELECT tenant, name FROM connectors WHERE listener = :replica AND tells"
    "  ORDER BY tenant, name FOR NO KEY UPDATE) mine"
    " WHERE c.tenant = mine.tenant AND c.name = mine.name"
)

_FORGET_SIGN_INS = text(
    "DELETE FROM sign_ins s USING (SELECT tenant, id FROM sign_ins"
    " WHERE expires < statement_timestamp() - interval '1 hour' FOR UPDATE SKIP LOCKED) gone"
    " WHERE s.tenant = gone.tenant AND s.id = gone.id"
)
# Not at once: whoever still runs one that is over is told so first.
_FORGET_CALLS = text(
    "DELETE FROM calls c USING (SELECT tenant, effect FROM calls WHERE forgotten"
    " AND finished < statement_timestamp() - interval '10 minutes'"
    " LIMIT 1000 FOR UPDATE SKIP LOCKED) gone"
    " WHERE c.tenant = gone.tenant AND c.effect = gone.effect"
)


@dataclass(frozen=True, slots=True)
class Settled:
    """How many orphaned calls went which way."""

    unknown: int
    due: int


async def settle(connection: AsyncConnection) -> Settled:
    """Settles the open calls, and frees the discoveries, of processes that are not alive."""
    await connection.execute(_FREE)
    numbers = {row.status: row.number for row in await connection.execute(_SETTLE)}
    return Settled(unknown=numbers.get("UNKNOWN", 0), due=numbers.get("PENDING", 0))


async def take(connection: AsyncConnection, executor: UUID, *, room: int) -> list[Call]:
    """Takes calls that nobody runs, for `executor` to run."""
    rows = await connection.execute(_TAKE, {"executor": executor, "room": room})
    return [to_call(row) for row in rows.mappings()]


async def find_lost(
    connection: AsyncConnection, executor: UUID, calls: Sequence[Call]
) -> dict[str, CallStatus]:
    """Returns the effects of those calls that are over or somebody else's by now."""
    values = {
        "executor": executor,
        "tenants": [call.tenant for call in calls],
        "effects": [call.effect for call in calls],
    }
    rows = await connection.execute(_LOST, values)
    return {row.effect: CallStatus(row.status) for row in rows}


async def find_mine(connection: AsyncConnection, executor: UUID) -> list[Call]:
    """Returns the open calls that are `executor`'s to run, but for the newest."""
    rows = await connection.execute(_MINE, {"executor": executor})
    return [to_call(row) for row in rows.mappings()]


@dataclass(frozen=True, slots=True)
class Ear:
    """A connector whose changes are listened for."""

    tenant: UUID
    connector: str
    etag: str


async def take_ears(connection: AsyncConnection, replica: UUID, *, room: int) -> list[Ear]:
    """Returns the connectors that are `replica`'s to listen to; free ones become so."""
    if room > 0:
        await connection.execute(_LISTEN, {"replica": replica, "room": room})
    rows = await connection.execute(_MY_EARS, {"replica": replica})
    return [Ear(row.tenant, row.name, row.etag) for row in rows]


async def let_go(connection: AsyncConnection, replica: UUID) -> None:
    """Leaves what `replica` listened to for others."""
    await connection.execute(_LET_GO, {"replica": replica})


async def find_due_connectors(connection: AsyncConnection, *, room: int) -> list[tuple[UUID, str]]:
    """Returns connectors whose tools were never discovered, or that failed and may try again."""
    rows = await connection.execute(_DUE, {"room": room})
    return [(row.tenant, row.name) for row in rows]


async def forget_sign_ins(connection: AsyncConnection) -> None:
    """Forgets the sign-ins that ended long ago."""
    await connection.execute(_FORGET_SIGN_INS)


async def forget_calls(connection: AsyncConnection) -> None:
    """Deletes calls of forgotten turns that have long been over."""
    await connection.execute(_FORGET_CALLS)
