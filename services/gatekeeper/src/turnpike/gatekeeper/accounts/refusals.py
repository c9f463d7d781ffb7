"""What was refused at admission, told to whom it befell and to their admins."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.gatekeeper.accounts.model import RefusedTry
from turnpike.gatekeeper.accounts.refusal_rows import Position, list_refusals
from turnpike.gatekeeper.authority import own_or_any
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.rpc.identity import Caller


class Refusals:
    """Admins see their tenant's, everybody else their own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(
        self, caller: Caller, *, reason: str, principal: str, after: Position | None, limit: int
    ) -> list[RefusedTry]:
        """Returns refusals, newest first.

        Raises:
            ForbiddenError: The caller asks for somebody else's, and is no admin.
            UnavailableError: Postgres does not answer.
        """
        whose: UUID | None = own_or_any(caller, principal)
        with postgres_answers():
            async with tenant_transaction(self._engine, caller.tenant) as connection:
                return await list_refusals(
                    connection, reason=reason, principal=whose, after=after, limit=limit
                )
