"""Who may administer a tenant, looked at in the transaction in which they do."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.gatekeeper import api_keys, bans
from turnpike.gatekeeper.model import MissingError
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.gatekeeper.refusals import BannedError
from turnpike.rpc.errors import ForbiddenError, InvalidArgumentError
from turnpike.rpc.identity import Caller, require_role

Position = tuple[datetime, UUID]
"""Where a list goes on: what it is ordered by, of the last item shown."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody who administers, and the transaction in which they do."""

    connection: AsyncConnection
    caller: Caller

    @property
    def tenant(self) -> UUID:
        """Their tenant."""
        return UUID(self.caller.tenant)

    @property
    def principal(self) -> UUID:
        """Who they are."""
        return UUID(self.caller.principal)

    async def require_platform(self) -> None:
        """Returns if they are of the first tenant; else raises `ForbiddenError`."""
        if not await api_keys.is_platform(self.connection, self.tenant):
            raise ForbiddenError("this is for the first tenant alone", role=self.caller.role)

    def require_no_less(self, role: str, scopes: Sequence[str]) -> None:
        """Returns if they have what they give away; else raises `ForbiddenError`."""
        require_role(self.caller, role)
        mine = set(self.caller.scopes)
        if mine and not (scopes and mine.issuperset(scopes)):
            raise ForbiddenError("nobody gives scopes that their own key lacks")


@asynccontextmanager
async def administering(engine: AsyncEngine, caller: Caller) -> AsyncGenerator[Administrator]:
    """Opens a transaction of the caller's tenant.

    Raises:
        ForbiddenError: The caller is no admin.
        BannedError: The caller is banned.
        UnavailableError: Postgres does not answer.
    """
    require_role(caller, "admin")
    with postgres_answers():
        async with tenant_transaction(engine, caller.tenant) as connection:
            administrator = Administrator(connection, caller)
            key = UUID(caller.key) if caller.key else None
            banned = await bans.find_ban(
                connection, administrator.tenant, administrator.principal, key
            )
            if banned:
                raise BannedError(*banned)
            yield administrator


def storable(field: str, text: str) -> str:
    """Returns a text, or raises `InvalidArgumentError` for what Postgres' cannot have."""
    if "\0" in text:
        raise InvalidArgumentError(field, "must not contain the character 0")
    return text


def known(kind: str, id: str) -> UUID:
    """Returns an id, or raises `MissingError` when it is none that there could be."""
    try:
        return UUID(id)
    except ValueError:
        raise MissingError(kind, id) from None
