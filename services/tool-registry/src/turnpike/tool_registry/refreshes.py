"""Who discovers a connector's tools when, decided in Postgres."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.tool_registry.model import Fault

# A discovery claims its connector by moving the time at which it is due; of all
# replicas that find it due, one does.
_CLAIM = text(
    "UPDATE connectors SET refresh_at = statement_timestamp() + CAST(:lease AS interval),"
    " claimed_until = statement_timestamp() + CAST(:lease AS interval),"
    " claimed_by = :replica, changed = false"
    " WHERE tenant = :tenant AND name = :name AND enabled"
    " AND refresh_at <= statement_timestamp()"
    " AND coalesce(claimed_until <= statement_timestamp(), true)"
    " RETURNING generation, statement_timestamp() AS begun"
)
# Joins a discovery that runs, and unless somebody insists one that ended a moment ago.
_EXPIRE = text(
    "UPDATE connectors SET refresh_at = statement_timestamp()"
    " WHERE tenant = :tenant AND name = :name AND (state = 'OK' OR :although_failing)"
    " AND coalesce(claimed_until <= statement_timestamp(), true)"
    " AND (:although_failing"
    " OR coalesce(discovered_at < statement_timestamp() - interval '1 second', true))"
)
# Never joins: what changed may have changed after it was read.
_NOTE_CHANGE = text(
    "UPDATE connectors SET changed = true, refresh_at = CASE"
    " WHEN claimed_until > statement_timestamp() THEN refresh_at ELSE statement_timestamp() END"
    " WHERE tenant = :tenant AND name = :name"
)
_SETTLE_FAILED = text(
    "UPDATE connectors SET state = :state, state_reason = :reason, fault = :fault,"
    " failures = failures + 1, claimed_until = NULL, changed = false,"
    # What changed meanwhile, a credential say, may be what it failed for want of.
    " refresh_at = CASE WHEN changed THEN statement_timestamp()"
    " ELSE statement_timestamp() + CAST(:pause AS interval) END"
    " WHERE tenant = :tenant AND name = :name AND generation = :generation"
)
_IS_CLAIMED = text(
    "SELECT coalesce(claimed_until > statement_timestamp(), false)"
    " FROM connectors WHERE tenant = :tenant AND name = :name"
)
# What changed while it was read is due again as soon as that is over.
_IS_DUE = text(
    "SELECT enabled AND (refresh_at <= statement_timestamp()"
    " OR coalesce(claimed_until > statement_timestamp(), false))"
    " FROM connectors WHERE tenant = :tenant AND name = :name"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A connector that is this caller's to discover."""

    generation: int
    begun: datetime
    """By Postgres' clock."""


async def claim(
    connection: AsyncConnection,
    tenant: UUID,
    connector: str,
    *,
    replica: UUID,
    lease: timedelta,
) -> Claim | None:
    """Returns what `replica` is to discover, or None when it is not due or another does it."""
    values = {"tenant": tenant, "name": connector, "replica": replica, "lease": lease}
    row = (await connection.execute(_CLAIM, values)).one_or_none()
    return None if row is None else Claim(row.generation, row.begun)


async def expire(
    connection: AsyncConnection, tenant: UUID, connector: str, *, although_failing: bool = False
) -> None:
    """Makes a connector's list due at once, unless it is being read or was just now."""
    values = {"tenant": tenant, "name": connector, "although_failing": although_failing}
    await connection.execute(_EXPIRE, values)


async def note_change(connection: AsyncConnection, tenant: UUID, connector: str) -> None:
    """Makes a list due because its server said that it changed."""
    await connection.execute(_NOTE_CHANGE, {"tenant": tenant, "name": connector})


async def is_claimed(connection: AsyncConnection, tenant: UUID, connector: str) -> bool:
    """Says whether somebody discovers a connector's tools at the moment."""
    values = {"tenant": tenant, "name": connector}
    return bool(await connection.scalar(_IS_CLAIMED, values))


async def is_due(connection: AsyncConnection, tenant: UUID, connector: str) -> bool:
    """Says whether a connector's list is to be read, or is being read, by whomever."""
    values = {"tenant": tenant, "name": connector}
    return bool(await connection.scalar(_IS_DUE, values))


async def note_failure(
    connection: AsyncConnection,
    tenant: UUID,
    connector: str,
    generation: int,
    *,
    fault: Fault,
    reason: str,
    pause: timedelta,
) -> None:
    """Marks a connector as failing; its last good list stands."""
    await connection.execute(
        _SETTLE_FAILED,
        {
            "tenant": tenant,
            "name": connector,
            "generation": generation,
            "state": "NEEDS_AUTH" if fault is Fault.AUTH_NEEDED else "DEGRADED",
            "fault": fault.value,
            "reason": reason,
            "pause": pause,
        },
    )
