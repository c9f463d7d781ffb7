"""Keeping each tenant's ledgers within bounds: what is old is made again when needed."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.prefix.counting import EVICTED
from turnpike.database.sweeping import sweep_every
from turnpike.database.tenancy import system_transaction

_SWEEP_SECONDS = 60.0
# Whoever was asked within this may be asked again any moment.
_ACTIVE = timedelta(minutes=10)
# Of every tenant, the ones used last up to its bound stay, and those in use.
_EVICT = text("""
WITH kept AS (
  SELECT tenant, session, touched,
    sum(bytes) OVER (PARTITION BY tenant ORDER BY touched DESC, session) AS total
  FROM prefix_sessions WHERE NOT evicted AND bytes > 0
), old AS (
  SELECT s.tenant, s.session FROM prefix_sessions s JOIN kept k USING (tenant, session)
  WHERE k.total > :bytes AND s.touched < statement_timestamp() - CAST(:active AS interval)
    AND s.pending = ''
  FOR UPDATE OF s SKIP LOCKED
), gone AS (
  DELETE FROM prefix_elements e USING old o
  WHERE e.tenant = o.tenant AND e.session = o.session
)
UPDATE prefix_sessions s SET evicted = true FROM old o
WHERE s.tenant = o.tenant AND s.session = o.session RETURNING s.session
""")
# A client's session has no other truth; nobody asks for it again after this. Another sweep may
# have evicted one that this one is to forget, and the other way round: neither waits.
_FORGET = text(
    "DELETE FROM prefix_sessions WHERE (tenant, session) IN"
    " (SELECT tenant, session FROM prefix_sessions WHERE thread IS NULL"
    " AND touched < statement_timestamp() - CAST(:age AS interval) FOR UPDATE SKIP LOCKED)"
)
_FORGOTTEN_AFTER = timedelta(days=7)


async def sweep(engine: AsyncEngine, tenant_bytes: int) -> int:
    """Evicts elements beyond a tenant's bound; says of how many sessions.

    Args:
        engine: As the system role.
        tenant_bytes: How many bytes of elements a tenant may keep.
    """
    async with system_transaction(engine) as connection:
        evicted = (
            await connection.execute(_EVICT, {"bytes": tenant_bytes, "active": _ACTIVE})
        ).all()
        await connection.execute(_FORGET, {"age": _FORGOTTEN_AFTER})
    EVICTED.inc(len(evicted))
    return len(evicted)


async def sweep_forever(engine: AsyncEngine, tenant_bytes: int) -> None:
    """Sweeps until cancelled."""
    await sweep_every(
        _SWEEP_SECONDS, lambda: sweep(engine, tenant_bytes), later="ledgers are swept later"
    )
