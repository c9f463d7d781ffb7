"""Who is on which plan, kept in Postgres."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.accounts.model import Subscription

_COLUMNS = "id, tenant, principal, plan, status, starts, ends, created"
_SELECT = f"SELECT {_COLUMNS} FROM subscriptions"  # noqa: S608 # names of ours
_LIVE = (
    " tenant = :tenant AND principal IS NOT DISTINCT FROM CAST(:principal AS uuid)"
    " AND status <> 'ended' AND (ends IS NULL OR ends > now())"
)

# One change of a tenant's subscriptions at a time: two must not both find none.
_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:tenant, 7420))")
_GET = text(f"{_SELECT} WHERE {_LIVE} ORDER BY created DESC, id DESC LIMIT 1")
_LIST = text(
    f"{_SELECT} WHERE CAST(:created AS timestamptz) IS NULL"
    " OR (created, id) < (:created, CAST(:id AS uuid))"
    " ORDER BY created DESC, id DESC LIMIT :limit"
)
_INSERT = text(
    "INSERT INTO subscriptions (tenant, principal, plan, status, starts, ends)"  # noqa: S608
    " VALUES (:tenant, :principal, :plan, :status,"
    f" coalesce(CAST(:starts AS timestamptz), now()), :ends) RETURNING {_COLUMNS}"
)
_UPDATE = text(
    "UPDATE subscriptions SET plan = :plan, status = :status, ends = :ends,"  # noqa: S608
    " starts = coalesce(CAST(:starts AS timestamptz), starts)"
    f" WHERE id = :id RETURNING {_COLUMNS}"
)
_END = text(
    "UPDATE subscriptions SET status = 'ended', ends = least(ends, now())"  # noqa: S608
    f" WHERE {_LIVE} AND id IS DISTINCT FROM CAST(:id AS uuid)"
)
_HAS_PLAN = text("SELECT EXISTS (SELECT FROM plans WHERE name = :plan)")
_HAS_TENANT = text("SELECT EXISTS (SELECT FROM tenants WHERE tenant = :tenant)")
_HAS_PRINCIPAL = text(
    "SELECT EXISTS (SELECT FROM principals WHERE tenant = :tenant AND id = :principal)"
)


async def has_plan(connection: AsyncConnection, plan: str) -> bool:
    """Says whether there is such a plan."""
    return bool(await connection.scalar(_HAS_PLAN, {"plan": plan}))


async def has_tenant(connection: AsyncConnection, tenant: UUID) -> bool:
    """Says whether the transaction's tenant exists."""
    return bool(await connection.scalar(_HAS_TENANT, {"tenant": tenant}))


async def has_principal(connection: AsyncConnection, tenant: UUID, principal: UUID) -> bool:
    """Says whether there is such a principal in the tenant."""
    values = {"tenant": tenant, "principal": principal}
    return bool(await connection.scalar(_HAS_PRINCIPAL, values))


async def get_subscription(
    connection: AsyncConnection, tenant: UUID, principal: UUID | None
) -> Subscription | None:
    """Returns the subscription that has not ended, of a tenant or of a person in it."""
    values = {"tenant": tenant, "principal": principal}
    row = (await connection.execute(_GET, values)).mappings().one_or_none()
    return Subscription(**row) if row else None


async def lock_subscription(
    connection: AsyncConnection, tenant: UUID, principal: UUID | None
) -> Subscription | None:
    """Returns the same; nobody else changes the tenant's until the transaction ends."""
    await connection.execute(_TAKE_TURNS, {"tenant": str(tenant)})
    return await get_subscription(connection, tenant, principal)


async def list_subscriptions(
    connection: AsyncConnection, after: tuple[datetime, UUID] | None, limit: int
) -> list[Subscription]:
    """Returns the subscriptions that the transaction sees, newest first."""
    created, id = after or (None, None)
    result = await connection.execute(_LIST, {"created": created, "id": id, "limit": limit})
    return [Subscription(**row) for row in result.mappings()]


async def write_subscription(
    connection: AsyncConnection, subscription: Subscription
) -> Subscription:
    """Makes a subscription so, and the only one that has not ended of whom it is for."""
    values = {
        "id": subscription.id,
        "tenant": subscription.tenant,
        "principal": subscription.principal,
        "plan": subscription.plan,
        "status": subscription.status,
        "starts": subscription.starts,
        "ends": subscription.ends,
    }
    await end_subscriptions(
        connection, subscription.tenant, subscription.principal, but=subscription.id
    )
    result = await connection.execute(_UPDATE if subscription.id else _INSERT, values)
    return Subscription(**result.mappings().one())


async def end_subscriptions(
    connection: AsyncConnection, tenant: UUID, principal: UUID | None, but: UUID | None = None
) -> None:
    """Ends what a tenant or a person is subscribed to, but for one."""
    values = {"tenant": tenant, "principal": principal, "id": but}
    await connection.execute(_END, values)
