"""Who may administer what: tenants, API keys and bans."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.gatekeeper import api_keys, bans
from turnpike.gatekeeper.credentials import digest, new_secret, prefix
from turnpike.gatekeeper.model import ApiKey, Ban, MissingError, NewTenant, Tenant
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.gatekeeper.system import System
from turnpike.rpc.errors import ForbiddenError, InvalidArgumentError
from turnpike.rpc.identity import Caller, require_role

Position = tuple[datetime, UUID]
"""Where a list goes on: what it is ordered by, of the last item shown."""


class Tenancy:
    """Administers on behalf of callers.

    Every method raises `ForbiddenError` when the caller is no admin, and
    `UnavailableError` when Postgres does not answer. What belongs to another
    tenant does not exist.
    """

    def __init__(self, engine: AsyncEngine, system: System) -> None:
        self._engine = engine
        self._system = system

    async def create_tenant(self, caller: Caller, name: str, slots: int) -> NewTenant:
        """Creates a tenant with an admin and its key; for the first tenant's admins.

        Raises:
            NameTakenError: The name is taken.
        """
        await self._require_platform(caller)
        secret = new_secret()
        tenant, key = await self._system.create_tenant(_storable("name", name), slots, secret)
        return NewTenant(tenant=tenant, key=key, secret=secret)

    async def list_tenants(
        self, caller: Caller, after: Position | None, limit: int
    ) -> list[Tenant]:
        """Returns tenants, newest first; for the first tenant's admins."""
        await self._require_platform(caller)
        return await self._system.list_tenants(after, limit)

    async def create_api_key(
        self, caller: Caller, *, name: str, role: str, expires: datetime | None
    ) -> tuple[ApiKey, str]:
        """Creates a key with a principal of its own; returns it and the key itself."""
        secret = new_secret()
        async with self._as_admin(caller) as connection:
            key = await api_keys.create_api_key(
                connection,
                tenant=UUID(caller.tenant),
                name=_storable("name", name),
                role=role,
                digest=digest(secret),
                prefix=prefix(secret),
                expires=expires,
            )
        return key, secret

    async def list_api_keys(
        self, caller: Caller, after: Position | None, limit: int
    ) -> list[ApiKey]:
        """Returns the keys of the caller's tenant, newest first."""
        async with self._as_admin(caller) as connection:
            return await api_keys.list_api_keys(connection, after, limit)

    async def revoke_api_key(self, caller: Caller, id: str) -> ApiKey:
        """Revokes a key, the caller's own too.

        Raises:
            MissingError: The caller's tenant has no such key.
        """
        async with self._as_admin(caller) as connection:
            return await api_keys.revoke_api_key(connection, _known("api_key", id))

    async def create_ban(
        self, caller: Caller, *, principal: str, note: str, expires: datetime | None
    ) -> Ban:
        """Bans a principal, in place of the ban that it has.

        Raises:
            MissingError: The caller's tenant has no such principal.
        """
        async with self._as_admin(caller) as connection:
            return await bans.create_ban(
                connection,
                principal=_known("principal", principal),
                note=_storable("note", note),
                expires=expires,
            )

    async def list_bans(self, caller: Caller, after: Position | None, limit: int) -> list[Ban]:
        """Returns the bans of the caller's tenant, newest first."""
        async with self._as_admin(caller) as connection:
            return await bans.list_bans(connection, after, limit)

    async def delete_ban(self, caller: Caller, id: str) -> None:
        """Lifts a ban.

        Raises:
            MissingError: The caller's tenant has no such ban.
        """
        async with self._as_admin(caller) as connection:
            await bans.delete_ban(connection, _known("ban", id))

    async def _require_platform(self, caller: Caller) -> None:
        async with self._as_admin(caller) as connection:
            if not await api_keys.is_platform(connection, UUID(caller.tenant)):
                raise ForbiddenError("this is for the first tenant alone", role=caller.role)

    @asynccontextmanager
    async def _as_admin(self, caller: Caller) -> AsyncGenerator[AsyncConnection]:
        require_role(caller, "admin")
        with postgres_answers():
            async with tenant_transaction(self._engine, caller.tenant) as connection:
                yield connection


def _storable(field: str, text: str) -> str:
    # The one character that Postgres' texts cannot have.
    if "\0" in text:
        raise InvalidArgumentError(field, "must not contain the character 0")
    return text


def _known(kind: str, id: str) -> UUID:
    try:
        return UUID(id)
    except ValueError:
        raise MissingError(kind, id) from None
