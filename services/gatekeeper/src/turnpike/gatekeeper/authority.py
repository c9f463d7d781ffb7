"""For whom a caller may act: its own tenant, or as the platform any."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.gatekeeper import api_keys
from turnpike.gatekeeper.model import NOBODY, MissingError
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.identity import Caller, require_role

_ADMINS = ("owner", "admin")


class Authority:
    """Tells the platform, which is the admins of the first tenant, from everybody else."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def require_platform(self, caller: Caller) -> None:
        """Returns if an admin of the first tenant calls.

        Raises:
            ForbiddenError: Somebody else does.
            UnavailableError: Postgres does not answer.
        """
        require_role(caller, "admin")
        with postgres_answers():
            async with tenant_transaction(self._engine, caller.tenant) as connection:
                if await api_keys.is_platform(connection, UUID(caller.tenant)):
                    return
        raise ForbiddenError("this is for the first tenant alone", role=caller.role)

    async def tenant(self, caller: Caller, asked: str) -> UUID:
        """Returns the tenant that a caller asks about: its own where it names none.

        Raises:
            ForbiddenError: It is another's, and the caller is not the platform.
            MissingError: It is no tenant's id.
            UnavailableError: Postgres does not answer.
        """
        require_role(caller, "viewer")
        if asked in ("", caller.tenant):
            return UUID(caller.tenant)
        await self.require_platform(caller)
        try:
            return UUID(asked)
        except ValueError:
            raise MissingError("tenant", asked) from None


def own_or_any(caller: Caller, principal: str) -> UUID | None:
    """Returns whose things a caller sees: None for everybody's in the tenant.

    Args:
        caller: Who asks.
        principal: Whom it asks about; empty for all that it may see. An id that
            is none is `NOBODY`'s, who has nothing.

    Raises:
        ForbiddenError: It asks about somebody else, and is no admin.
    """
    require_role(caller, "viewer")
    if principal == caller.principal or (not principal and caller.role not in _ADMINS):
        return UUID(caller.principal)
    require_role(caller, "admin")
    try:
        return UUID(principal) if principal else None
    except ValueError:
        return NOBODY
