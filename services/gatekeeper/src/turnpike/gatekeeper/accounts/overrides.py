"""The limits that hold for tenants and people, and what a tenant has instead of its plan's."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.gatekeeper.accounts.model import HeldLimits, Overrides, Terms, require, weigh
from turnpike.gatekeeper.accounts.override_rows import (
    delete_overrides,
    get_held_limits,
    get_overrides,
    lock_overrides,
    write_overrides,
)
from turnpike.gatekeeper.accounts.subscription_rows import has_principal, has_tenant
from turnpike.gatekeeper.authority import Authority, own_or_any
from turnpike.gatekeeper.model import MissingError
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.rpc.identity import Caller, require_role


class LimitsOfTenants:
    """Everybody sees their own limits; the platform changes them.

    Every method raises `ForbiddenError` for whom it is not, and
    `UnavailableError` when Postgres does not answer.
    """

    def __init__(self, engine: AsyncEngine, authority: Authority) -> None:
        self._engine = engine
        self._authority = authority

    async def held(
        self, caller: Caller, tenant: str, principal: str
    ) -> tuple[UUID, UUID | None, HeldLimits]:
        """Returns for whom which limits hold now.

        Raises:
            MissingError: There is no such tenant or principal.
        """
        of = await self._authority.tenant(caller, tenant)
        foreign = str(of) != caller.tenant
        whose = own_or_any(caller, principal or ("" if foreign else caller.principal))
        with postgres_answers():
            async with tenant_transaction(self._engine, of) as connection:
                if whose and not await has_principal(connection, of, whose):
                    raise MissingError("principal", principal)
                limits = await get_held_limits(connection, of, whose)
        if limits is None:
            raise MissingError("tenant", of)
        return of, whose, limits

    async def get(self, caller: Caller, tenant: str) -> Overrides:
        """Returns what a tenant has instead of its plan's, or raises `MissingError`."""
        require_role(caller, "admin")
        of = await self._authority.tenant(caller, tenant)
        with postgres_answers():
            async with tenant_transaction(self._engine, of) as connection:
                found = await get_overrides(connection, of)
        if found is None:
            raise MissingError("overrides", of)
        return found

    async def update(self, caller: Caller, wished: Overrides, terms: Terms) -> str:
        """Makes it what is wished; says CREATED, CHANGED or UNCHANGED.

        Raises:
            MissingError: There is no such tenant, or nothing, and it may not be created.
            EtagMismatchError: It was changed meanwhile.
        """
        await self._authority.require_platform(caller)
        with postgres_answers():
            async with tenant_transaction(self._engine, wished.tenant) as connection:
                if not await has_tenant(connection, wished.tenant):
                    raise MissingError("tenant", wished.tenant)
                current = await lock_overrides(connection, wished.tenant)
                change = weigh("overrides", str(wished.tenant), current, wished, terms)
                if change != "UNCHANGED" and not terms.validate_only:
                    await write_overrides(connection, wished)
        return change

    async def delete(self, caller: Caller, tenant: UUID, etag: str) -> None:
        """Gives a tenant its plan's limits again.

        Raises:
            MissingError: It has no others.
            EtagMismatchError: It was changed meanwhile.
        """
        await self._authority.require_platform(caller)
        with postgres_answers():
            async with tenant_transaction(self._engine, tenant) as connection:
                require("overrides", str(tenant), await lock_overrides(connection, tenant), etag)
                await delete_overrides(connection, tenant)
