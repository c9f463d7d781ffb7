"""The budgets that a tenant gives itself, within what the platform gave it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.gatekeeper.accounts.budget_rows import (
    delete_budget,
    get_budget,
    has_subject,
    list_budgets,
    lock_budget,
    write_budget,
)
from turnpike.gatekeeper.accounts.model import PERIODS, Budget, Terms, require, weigh
from turnpike.gatekeeper.accounts.override_rows import get_held_limits
from turnpike.gatekeeper.model import MissingError
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.identity import Caller, require_role

_SCOPES = ("tenant", "principal", "key", "agent")
_BY_ID = ("principal", "key")


class Budgets:
    """A tenant's admins keep them.

    Every method raises `ForbiddenError` when the caller is no admin, and
    `UnavailableError` when Postgres does not answer.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, caller: Caller, name: str) -> Budget:
        """Returns a budget and what is spent of it, or raises `MissingError`."""
        async with self._as_admin(caller) as connection:
            return await _existing(connection, name)

    async def page(self, caller: Caller, after: str, limit: int) -> list[Budget]:
        """Returns the tenant's budgets by name, from after one on."""
        async with self._as_admin(caller) as connection:
            return await list_budgets(connection, after, limit)

    async def update(
        self, caller: Caller, name: str, limit_micro_usd: int, terms: Terms
    ) -> tuple[Budget, str]:
        """Makes a budget what is wished; says CREATED, CHANGED or UNCHANGED.

        Raises:
            MissingError: There is none, and it may not be created.
            EtagMismatchError: It was changed meanwhile.
            InvalidArgumentError: It is for nobody, or above what the platform gave.
        """
        scope, subject, period = _parts(name)
        wished = Budget(
            scope=scope, subject=subject, period=period, limit_micro_usd=limit_micro_usd
        )
        async with self._as_admin(caller) as connection:
            tenant = UUID(caller.tenant)
            await _check(connection, tenant, wished)
            current = await lock_budget(connection, scope, subject, period)
            change = weigh("budget", name, current, wished, terms)
            if change != "UNCHANGED":
                await write_budget(connection, tenant, wished)
            made = await _existing(connection, name)
            if terms.validate_only:
                await connection.rollback()
        return made, change

    async def delete(self, caller: Caller, name: str, etag: str) -> None:
        """Deletes a budget.

        Raises:
            MissingError: There is none.
            EtagMismatchError: It was changed meanwhile.
        """
        async with self._as_admin(caller) as connection:
            require("budget", name, await lock_budget(connection, *_known(name)), etag)
            await delete_budget(connection, *_known(name))

    @asynccontextmanager
    async def _as_admin(self, caller: Caller) -> AsyncGenerator[AsyncConnection]:
        require_role(caller, "admin")
        with postgres_answers():
            async with tenant_transaction(self._engine, caller.tenant) as connection:
                yield connection


async def _existing(connection: AsyncConnection, name: str) -> Budget:
    budget = await get_budget(connection, *_known(name))
    if budget is None:
        raise MissingError("budget", name)
    return budget


async def _check(connection: AsyncConnection, tenant: UUID, budget: Budget) -> None:
    if budget.scope in _BY_ID and not await has_subject(
        connection, budget.scope, UUID(budget.subject)
    ):
        raise InvalidArgumentError("budget.name", f"there is no such {budget.scope}")
    held = await get_held_limits(connection, tenant, None)
    most = held.limits.monthly_limit_micro_usd if held else None
    if budget.period != "total" and most is not None and budget.limit_micro_usd > most:
        raise InvalidArgumentError(
            "budget.limit_micro_usd", f"is above the {most} a month that the tenant was given"
        )


def _parts(name: str) -> tuple[str, str, str]:
    """Returns a budget's scope, subject and period; ids as the database writes them."""
    scope, _, rest = name.partition(".")
    subject, _, period = rest.rpartition(".")
    if scope not in _SCOPES or period not in PERIODS or (scope == "tenant") != (subject == ""):
        raise InvalidArgumentError("budget.name", "is no budget's name, such as `tenant.month`")
    if scope in _BY_ID:
        try:
            subject = str(UUID(subject))
        except ValueError:
            raise InvalidArgumentError("budget.name", f"there is no such {scope}") from None
    return scope, subject, period


def _known(name: str) -> tuple[str, str, str]:
    try:
        return _parts(name)
    except InvalidArgumentError:
        raise MissingError("budget", name) from None
