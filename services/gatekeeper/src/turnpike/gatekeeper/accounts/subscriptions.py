"""Who is on which plan."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import system_transaction, tenant_transaction
from turnpike.gatekeeper.accounts.model import Subscription, Terms, require, weigh
from turnpike.gatekeeper.accounts.subscription_rows import (
    end_subscriptions,
    get_subscription,
    has_plan,
    has_principal,
    has_tenant,
    list_subscriptions,
    lock_subscription,
    write_subscription,
)
from turnpike.gatekeeper.authority import Authority
from turnpike.gatekeeper.model import MissingError
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.identity import Caller, require_role

Position = tuple[datetime, UUID]

ALL_TENANTS = "-"


class Subscriptions:
    """Admins see their tenant's, the platform changes everybody's.

    Every method raises `ForbiddenError` for whom it is not, and
    `UnavailableError` when Postgres does not answer.
    """

    def __init__(
        self, engine: AsyncEngine, system_engine: AsyncEngine, authority: Authority
    ) -> None:
        self._engine = engine
        self._system_engine = system_engine
        self._authority = authority

    async def get(self, caller: Caller, tenant: str, principal: UUID | None) -> Subscription:
        """Returns the subscription that has not ended, or raises `MissingError`."""
        require_role(caller, "admin")
        of = await self._authority.tenant(caller, tenant)
        with postgres_answers():
            async with tenant_transaction(self._engine, of) as connection:
                found = await get_subscription(connection, of, principal)
        if found is None:
            raise MissingError("subscription", _named(of, principal))
        return found

    async def page(
        self, caller: Caller, tenant: str, after: Position | None, limit: int
    ) -> list[Subscription]:
        """Returns a tenant's subscriptions, or everybody's, newest first."""
        require_role(caller, "admin")
        if tenant == ALL_TENANTS:
            await self._authority.require_platform(caller)
            with postgres_answers():
                async with system_transaction(self._system_engine) as connection:
                    return await list_subscriptions(connection, after, limit)
        of = await self._authority.tenant(caller, tenant)
        with postgres_answers():
            async with tenant_transaction(self._engine, of) as connection:
                return await list_subscriptions(connection, after, limit)

    async def update(
        self, caller: Caller, wished: Subscription, terms: Terms
    ) -> tuple[Subscription, str]:
        """Makes a subscription what is wished; says CREATED, CHANGED or UNCHANGED.

        Raises:
            MissingError: There is no such tenant or principal, or no
                subscription, and it may not be created.
            EtagMismatchError: It was changed meanwhile.
            InvalidArgumentError: There is no such plan, or it ends before it starts.
        """
        await self._authority.require_platform(caller)
        with postgres_answers():
            async with tenant_transaction(self._engine, wished.tenant) as connection:
                await _check(connection, wished)
                made, change = await _write(connection, wished, terms)
                if terms.validate_only:
                    await connection.rollback()
        return made, change

    async def delete(self, caller: Caller, tenant: UUID, principal: UUID | None, etag: str) -> None:
        """Ends a subscription now.

        Raises:
            MissingError: There is none that has not ended.
            EtagMismatchError: It was changed meanwhile.
        """
        await self._authority.require_platform(caller)
        with postgres_answers():
            async with tenant_transaction(self._engine, tenant) as connection:
                current = await lock_subscription(connection, tenant, principal)
                require("subscription", _named(tenant, principal), current, etag)
                await end_subscriptions(connection, tenant, principal)


async def _check(connection: AsyncConnection, wished: Subscription) -> None:
    if not await has_tenant(connection, wished.tenant):
        raise MissingError("tenant", wished.tenant)
    if wished.principal and not await has_principal(connection, wished.tenant, wished.principal):
        raise MissingError("principal", wished.principal)
    if not await has_plan(connection, wished.plan):
        raise InvalidArgumentError("subscription.plan", "there is no such plan")


async def _write(
    connection: AsyncConnection, wished: Subscription, terms: Terms
) -> tuple[Subscription, str]:
    current = await lock_subscription(connection, wished.tenant, wished.principal)
    if current:
        wished = replace(wished, id=current.id, starts=wished.starts or current.starts)
    if wished.ends and wished.ends <= (wished.starts or datetime.now(UTC)):
        raise InvalidArgumentError("subscription.end_time", "is not after it starts")
    name = _named(wished.tenant, wished.principal)
    change = weigh("subscription", name, current, wished, terms)
    if current and change == "UNCHANGED":
        return current, change
    return await write_subscription(connection, wished), change


def _named(tenant: UUID, principal: UUID | None) -> str:
    return f"{tenant}.{principal}" if principal else str(tenant)
