"""Connectors with credentials that are good now."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.tool_registry.connectors import Connectors, StoredConnector
from turnpike.tool_registry.credentials import Loan
from turnpike.tool_registry.links.faults import UnreachableError
from turnpike.tool_registry.model import Fault
from turnpike.tool_registry.renewals import Renewals


class Access:
    """Reads connectors, and renews what is due before it is used."""

    def __init__(self, engine: AsyncEngine, connectors: Connectors, renewals: Renewals) -> None:
        self._engine = engine
        self._connectors = connectors
        self._renewals = renewals

    async def for_call(
        self,
        tenant: UUID,
        name: str,
        principal: str,
        check: Callable[[AsyncConnection], Awaitable[None]],
    ) -> StoredConnector:
        """Returns a connector with its requester's credential, or the shared one.

        Args:
            tenant: Whose it is.
            name: The connector's.
            principal: The requester.
            check: What else is to hold, in the transaction that reads the connector.

        Raises:
            ConnectorNotFoundError: There is none.
            CredentialMissingError: The requester has none, and the connector wants one.
            UnreachableError: The credential has ended.
        """

        async def read() -> StoredConnector:
            async with tenant_transaction(self._engine, tenant) as connection:
                await check(connection)
                return await self._connectors.for_call(connection, tenant, name, principal)

        return await self._good(tenant, name, read)

    async def for_discovery(self, tenant: UUID, name: str) -> StoredConnector:
        """Returns a connector as its tools are found out.

        Raises:
            ConnectorNotFoundError: There is none.
            UnreachableError: The credential has ended.
        """

        async def read() -> StoredConnector:
            async with tenant_transaction(self._engine, tenant) as connection:
                return await self._connectors.for_discovery(connection, tenant, name)

        return await self._good(tenant, name, read)

    async def is_renewed(self, tenant: UUID, name: str, loan: Loan | None) -> bool:
        """Says whether a server that refused a credential may be shown another one.

        It is renewed once by all who were refused with it: who comes later finds it done.
        """
        if loan is None:
            return False
        if await self._renewals.is_replaced(tenant, name, loan):
            return True
        if not loan.is_renewable or loan.refusal:
            return False
        await self._renewals.renew(tenant, name, loan)
        return await self._renewals.is_replaced(tenant, name, loan)

    async def note_scope(self, tenant: UUID, name: str, loan: Loan | None, scope: str) -> None:
        """Has the next sign-in ask for what a credential falls short of."""
        if loan is not None:
            async with tenant_transaction(self._engine, tenant) as connection:
                await self._connectors.note_scope(connection, tenant, name, loan, scope)

    async def _good(
        self, tenant: UUID, name: str, read: Callable[[], Awaitable[StoredConnector]]
    ) -> StoredConnector:
        stored = await read()
        loan = stored.loan
        if loan is not None and loan.is_due and loan.is_renewable and not loan.refusal:
            await self._renewals.renew(tenant, name, loan)
            stored = await read()
        _require_good(name, stored.loan)
        return stored


def _require_good(name: str, loan: Loan | None) -> None:
    if loan is None or not loan.is_expired:
        return
    if loan.is_renewable and not loan.refusal:
        raise UnreachableError(
            f"the credential of {name!r} has ended, and its authorization server does not answer",
            fault=Fault.CONNECTION_LOST,
        )
    reason = loan.refusal or "it cannot be renewed"
    raise UnreachableError(
        f"the credential of {name!r} has ended: {reason}", fault=Fault.AUTH_NEEDED
    )
