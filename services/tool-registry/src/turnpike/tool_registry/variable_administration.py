"""Variables, as their owners change them."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import EtagMismatchError, InvalidArgumentError
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.errors import (
    TextUnfillableError,
    VariableExistsError,
    VariableNotFoundError,
)
from turnpike.tool_registry.model import Change
from turnpike.tool_registry.templates import NameInvalidError, fill, names_in
from turnpike.tool_registry.variables import Variable, Variables

MAX_VARIABLES = 500
"""How many one owner has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A variable as its owner wants it."""

    tenant: UUID
    principal: str
    """Whose it is; empty for the tenant's."""

    name: str
    secret: bool
    value: str | None
    """None keeps the stored one."""

    etag: str = ""
    must_be_new: bool = False
    validate_only: bool = False


class VariableAdministration:
    """The variables of every tenant."""

    def __init__(
        self, *, engine: AsyncEngine, variables: Variables, discoveries: Discoveries
    ) -> None:
        self._engine = engine
        self._variables = variables
        self._discoveries = discoveries

    async def put(self, wish: Wish) -> tuple[Variable, Change]:
        """Makes a variable what its owner says, from the next execution on.

        Raises:
            VariableExistsError: It must be new, and is there.
            EtagMismatchError: It was changed since the caller read it.
            InvalidArgumentError: There is no value, or one too many.
        """
        tenant, name = wish.tenant, wish.name
        async with tenant_transaction(self._engine, tenant) as connection:
            await self._variables.lock(connection, tenant, wish.principal)
            before = await self._variables.find(connection, tenant, wish.principal, name)
            value = await self._checked(connection, wish, before)
            if before and (before.value, before.secret) == (value, wish.secret):
                return before, Change.UNCHANGED
            after = await self._variables.put(
                connection, tenant, wish.principal, name, value, secret=wish.secret
            )
            failing = await self._variables.failing_users(connection, tenant, name)
            if wish.validate_only:
                await connection.rollback()
                failing = []
        # What failed without it may go on with it.
        for connector in failing:
            self._discoveries.start(tenant, connector, anyway=True)
        return after, Change.CHANGED if before else Change.CREATED

    async def get(self, tenant: UUID, principal: str, name: str) -> Variable:
        """Returns an owner's variable, or raises `VariableNotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await self._variables.find(connection, tenant, principal, name)
        if found is None:
            raise VariableNotFoundError(name)
        return found

    async def page(
        self, tenant: UUID, principal: str, *, after: tuple[str, str], limit: int
    ) -> list[Variable]:
        """Returns the tenant's variables and a person's, by name, from behind `after` on."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await self._variables.page(
                connection, tenant, principal, after=after, limit=limit
            )

    async def delete(self, tenant: UUID, principal: str, name: str, *, etag: str) -> None:
        """Deletes an owner's variable.

        Raises:
            VariableNotFoundError: There is none.
            EtagMismatchError: It was changed since the caller read it.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            await self._variables.lock(connection, tenant, principal)
            found = await self._variables.find(connection, tenant, principal, name)
            if found is None:
                raise VariableNotFoundError(name)
            _require_etag(found, etag)
            await self._variables.delete(connection, tenant, principal, name)

    async def fill(
        self, tenant: UUID, principal: str, field: str, text: str, *, check_only: bool
    ) -> str:
        """Returns a text that models are shown, with what its names stand for to a person.

        Raises:
            InvalidArgumentError: It names what is no name; or, only checked, a secret.
            TextUnfillableError: A variable is not there, or is a secret.
        """
        try:
            names = sorted(names_in(text))
        except NameInvalidError as error:
            raise InvalidArgumentError(field, str(error)) from error
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await self._variables.values(connection, tenant, principal, names)
        if check_only:
            _require_plain(field, found)
            return ""
        for name in names:
            _require_usable(field, name, found.get(name))
        return fill(text, {name: each.value or "" for name, each in found.items()})

    async def _checked(
        self, connection: AsyncConnection, wish: Wish, before: Variable | None
    ) -> str:
        """Returns the value that it is to have."""
        if before is None:
            if wish.etag:
                raise VariableNotFoundError(wish.name)
            if await self._variables.count(connection, wish.tenant, wish.principal) >= (
                MAX_VARIABLES
            ):
                message = f"there are {MAX_VARIABLES} already: delete one first"
                raise InvalidArgumentError("variable.name", message)
        elif wish.must_be_new:
            raise VariableExistsError(wish.name)
        else:
            _require_etag(before, wish.etag)
        if wish.value is not None:
            return wish.value
        if before is None or before.value is None:
            raise InvalidArgumentError("variable.value", "is to be given: there is none to keep")
        if before.secret and not wish.secret:
            raise InvalidArgumentError("variable.value", "is to be given: a secret stays one")
        return before.value


def _require_etag(variable: Variable, etag: str) -> None:
    if etag and etag != variable.version:
        raise EtagMismatchError(variable.version)


def _require_plain(field: str, found: Mapping[str, Variable]) -> None:
    for name, variable in found.items():
        if variable.secret:
            message = f"names the variable {name!r}, which is a secret: models are told none"
            raise InvalidArgumentError(field, message)


def _require_usable(field: str, name: str, variable: Variable | None) -> None:
    if variable is None or variable.value is None:
        raise TextUnfillableError(field, name, "which has no value")
    if variable.secret:
        raise TextUnfillableError(field, name, "which is a secret: models are told none")
