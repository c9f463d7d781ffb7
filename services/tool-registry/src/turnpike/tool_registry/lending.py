"""Persons' credentials, as they keep them."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.tool_registry.connectors import Connectors
from turnpike.tool_registry.credentials import Credential, Credentials
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.errors import ConnectorNotFoundError, CredentialNotFoundError
from turnpike.tool_registry.model import Transport
from turnpike.tool_registry.ownership import Who
from turnpike.tool_registry.rules import check_headers


class Lending:
    """What persons lend to the calls that they ask for."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        connectors: Connectors,
        credentials: Credentials,
        discoveries: Discoveries,
    ) -> None:
        self._engine = engine
        self._connectors = connectors
        self._credentials = credentials
        self._discoveries = discoveries

    async def put(
        self, tenant: UUID, who: Who, connector: str, headers: dict[str, str]
    ) -> Credential:
        """Stores what a person's calls carry from now on.

        Raises:
            ConnectorNotFoundError: There is none, or it is another person's.
            InvalidArgumentError: A header cannot be set, or the connector takes none.
        """
        field = "credential.headers"
        if not headers:
            raise InvalidArgumentError(field, "a credential has at least one header")
        check_headers(field, headers)
        async with tenant_transaction(self._engine, tenant) as connection:
            stored = await self._connectors.lock(connection, tenant, connector)
            if not who.sees(stored.spec.owner):
                raise ConnectorNotFoundError(connector)
            if stored.endpoint.transport is Transport.STDIO:
                raise InvalidArgumentError(field, "a stdio connector has none")
            credential = await self._credentials.put(
                connection, tenant, connector, who.principal, headers
            )
        # What was refused without it may be let in with it.
        if stored.spec.personal:
            self._discoveries.start(tenant, connector, anyway=True)
        return credential

    async def list_of(self, tenant: UUID, who: Who, connector: str) -> list[Credential]:
        """Returns who has a credential, as far as it is this one's to know.

        Raises:
            ConnectorNotFoundError: There is no such connector, or it is another person's.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            stored = await self._connectors.get(connection, tenant, connector)
            if not who.sees(stored.spec.owner):
                raise ConnectorNotFoundError(connector)
            return await self._credentials.list_of(connection, tenant, connector, who.narrowed_to)

    async def delete(self, tenant: UUID, who: Who, connector: str, principal: str) -> None:
        """Forgets a credential: the own one, or `principal`'s.

        Raises:
            ForbiddenError: It is another's, and this is no admin.
            CredentialNotFoundError: There is none.
        """
        whose = principal or who.principal
        who.require(whose)
        async with tenant_transaction(self._engine, tenant) as connection:
            if not await self._credentials.delete(connection, tenant, connector, whose):
                raise CredentialNotFoundError(connector)
