"""Telling the registry which turns were deleted: what their calls brought goes with them."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.sweeping import sweep_every
from turnpike.database.tenancy import system_transaction
from turnpike.rpc.errors import RemoteError

Forget = Callable[[UUID, Sequence[UUID]], Awaitable[None]]
"""Has the registry forget a tenant's turns; raises `RemoteError`. Once more is harmless."""

_SWEEP_SECONDS = 15.0
_MOST_AT_ONCE = 500
_OLDEST = text("SELECT tenant, turn FROM forgotten_turns ORDER BY deleted LIMIT :most")
_TOLD = text("DELETE FROM forgotten_turns WHERE turn = ANY(:turns)")


async def sweep(engine: AsyncEngine, forget: Forget) -> int:
    """Has what the calls of deleted turns brought deleted; returns how many turns those were.

    Who dies before a turn is struck off has the next sweep tell of it again.

    Args:
        engine: As the system role.
        forget: See `Forget`.
    """
    async with system_transaction(engine) as connection:
        rows = (await connection.execute(_OLDEST, {"most": _MOST_AT_ONCE})).all()
    turns: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for row in rows:
        turns[row.tenant].append(row.turn)
    for tenant, deleted in turns.items():
        await forget(tenant, deleted)
        async with system_transaction(engine) as connection:
            await connection.execute(_TOLD, {"turns": deleted})
    return len(rows)


async def sweep_forever(engine: AsyncEngine, forget: Forget) -> None:
    """Sweeps until cancelled."""
    await sweep_every(
        _SWEEP_SECONDS,
        lambda: sweep(engine, forget),
        later="artifacts of deleted threads go later",
        spared=(RemoteError,),
    )
