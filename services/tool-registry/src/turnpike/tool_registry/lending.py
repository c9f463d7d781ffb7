"""Persons' credentials, as they keep them."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import EtagMismatchError, InvalidArgumentError
from turnpike.tool_registry.connectors import Connectors
from turnpike.tool_registry.credentials import SHARED, Credential, Credentials
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.errors import (
    ConnectorNotFoundError,
    CredentialNotFoundError,
)
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
        self, tenant: UUID, who: Who, connector: str, headers: dict[str, str], *, etag: str
    ) -> Credential:
        """Stores what a person's calls carry from now on.

        Raises:
            ConnectorNotFoundError: There is none, or it is another person's.
            EtagMismatchError: The connector is not the one that it is meant for.
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
            if etag and etag != stored.connector.etag:
                raise EtagMismatchError(stored.connector.etag)
            if stored.endpoint.transport is Transport.STDIO:
                raise InvalidArgumentError(field, "a stdio connector has none")
            credential = await self._credentials.put(
                connection, tenant, connector, who.principal, headers
            )
        # What was refused without it may be let in with it, also what is being read now.
        if stored.spec.personal or stored.spec.owner == who.principal:
            self._discoveries.note_change(tenant, connector)
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

    async def delete(
        self, tenant: UUID, who: Who, connector: str, principal: str, *, shared: bool
    ) -> None:
        """Forgets a credential: the own one, `principal`'s, or the shared one.

        Raises:
            ForbiddenError: It is another's, and this is no admin.
            CredentialNotFoundError: There is none.
        """
        whose = SHARED if shared else principal or who.principal
        async with tenant_transaction(self._engine, tenant) as connection:
            if shared:
                stored = await self._connectors.get(connection, tenant, connector)
                who.require(stored.spec.owner)
            else:
                who.require(whose)
            if not await self._credentials.delete(connection, tenant, connector, whose):
                raise CredentialNotFoundError(connector)
