"""The platform's plans."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import system_transaction, tenant_transaction
from turnpike.gatekeeper.accounts.model import Plan, Terms, require, weigh
from turnpike.gatekeeper.accounts.plan_rows import (
    delete_plan,
    get_plan,
    list_plans,
    lock_plan,
    write_plan,
)
from turnpike.gatekeeper.authority import Authority
from turnpike.gatekeeper.model import MissingError
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.identity import Caller, require_role


class Plans:
    """Everybody reads them, the platform changes them.

    Every method raises `ForbiddenError` for whom it is not, and
    `UnavailableError` when Postgres does not answer.
    """

    def __init__(
        self, engine: AsyncEngine, system_engine: AsyncEngine, authority: Authority
    ) -> None:
        self._engine = engine
        self._system_engine = system_engine
        self._authority = authority

    async def get(self, caller: Caller, name: str) -> Plan:
        """Returns a plan, or raises `MissingError`."""
        async with self._reading(caller) as connection:
            plan = await get_plan(connection, name)
        if plan is None:
            raise MissingError("plan", name)
        return plan

    async def page(self, caller: Caller, after: str, limit: int) -> list[Plan]:
        """Returns plans by name, from after one on."""
        async with self._reading(caller) as connection:
            return await list_plans(connection, after, limit)

    async def update(self, caller: Caller, plan: Plan, terms: Terms) -> tuple[Plan, str]:
        """Makes a plan what is wished; says CREATED, CHANGED or UNCHANGED.

        Raises:
            MissingError: There is none, and it may not be created.
            EtagMismatchError: It was changed meanwhile.
            InvalidArgumentError: A burst has no rate, and would bound nothing.
        """
        async with self._changing(caller) as connection:
            for name in plan.limits.bursts_without_rate:
                rate = name.replace("burst", "per_minute")
                raise InvalidArgumentError(f"plan.limits.{name}", f"is nothing without {rate}")
            current = await lock_plan(connection, plan.name)
            change = weigh("plan", plan.name, current, plan, terms)
            if change != "UNCHANGED":
                await write_plan(connection, plan)
            made = await get_plan(connection, plan.name)
            if terms.validate_only:
                await connection.rollback()
        assert made is not None  # noqa: S101 # it was written in this transaction
        return made, change

    async def delete(self, caller: Caller, name: str, etag: str) -> None:
        """Deletes a plan that nobody was ever on.

        Raises:
            MissingError: There is none.
            EtagMismatchError: It was changed meanwhile.
            InUseError: A subscription names it.
        """
        async with self._changing(caller) as connection:
            require("plan", name, await lock_plan(connection, name), etag)
            await delete_plan(connection, name)

    @asynccontextmanager
    async def _reading(self, caller: Caller) -> AsyncGenerator[AsyncConnection]:
        require_role(caller, "viewer")
        with postgres_answers():
            async with tenant_transaction(self._engine, caller.tenant) as connection:
                yield connection

    @asynccontextmanager
    async def _changing(self, caller: Caller) -> AsyncGenerator[AsyncConnection]:
        await self._authority.require_platform(caller)
        # A plan's change raises the version of every account that is on it.
        with postgres_answers():
            async with system_transaction(self._system_engine) as connection:
                yield connection
