"""Transactions that see one tenant, or by listed statements all."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_SET_TENANT = text("SELECT set_config('turnpike.tenant', :tenant, true)")


@asynccontextmanager
async def tenant_transaction(
    engine: AsyncEngine, tenant: str | UUID
) -> AsyncGenerator[AsyncConnection]:
    """Opens a transaction that sees and writes the rows of one tenant only.

    The tenant is set transaction-locally, so a pooled connection cannot carry
    it into the next transaction. Commits when the block ends, rolls back when
    it raises.
    """
    async with engine.begin() as connection:
        await connection.execute(_SET_TENANT, {"tenant": str(tenant)})
        yield connection


@asynccontextmanager
async def system_transaction(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """Opens a transaction of the system role, which sees every tenant.

    For the one module of a service that lists such statements: key lookup,
    leases, sweeps, outboxes.
    """
    async with engine.begin() as connection:
        yield connection
