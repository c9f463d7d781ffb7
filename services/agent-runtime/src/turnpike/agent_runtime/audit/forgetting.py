"""The end of the audit's keeping: the oldest entries go, and the chain begins after them."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.audit import store
from turnpike.database.sweeping import sweep_every
from turnpike.database.tenancy import system_transaction

_SWEEP_SECONDS = 600.0
_MOST_AT_ONCE = 1000


async def forget(engine: AsyncEngine, keep: timedelta) -> None:
    """Forgets what every tenant's audit has had for longer than `keep`, a day at least.

    Args:
        engine: As the system role.
        keep: How long entries are kept.
    """
    async with system_transaction(engine) as connection:
        tenants = await store.tenants_with_seals(connection)
    for tenant in tenants:
        forgotten = _MOST_AT_ONCE
        while forgotten == _MOST_AT_ONCE:
            async with system_transaction(engine) as connection:
                forgotten = await store.forget(connection, tenant, keep, _MOST_AT_ONCE)


async def forget_forever(engine: AsyncEngine, keep: timedelta | None) -> None:
    """Forgets until cancelled; nothing where the audit is kept for ever."""
    if keep is not None:
        await sweep_every(
            _SWEEP_SECONDS,
            lambda: forget(engine, keep),
            later="the audit is kept a little longer",
        )
