"""Creating, changing and deleting connectors."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import EtagMismatchError, InvalidArgumentError
from turnpike.tool_registry import pins
from turnpike.tool_registry.connectors import Connectors, StoredConnector
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.errors import (
    ConnectorExistsError,
    ConnectorNotFoundError,
    VariableUnusableError,
)
from turnpike.tool_registry.links.pool import Links
from turnpike.tool_registry.model import Change, Connector, Fault, Spec
from turnpike.tool_registry.ownership import Who
from turnpike.tool_registry.probing import Probe, probe
from turnpike.tool_registry.rules import Rules, with_kept_secrets

_REFRESH_SECONDS = 30.0


class Administration:
    """The connectors of every tenant, as admins change them."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        connectors: Connectors,
        discoveries: Discoveries,
        links: Links,
        rules: Rules,
    ) -> None:
        self._links = links
        self._engine = engine
        self._connectors = connectors
        self._discoveries = discoveries
        self._rules = rules

    async def create(
        self, tenant: UUID, who: Who, name: str, spec: Spec, *, validate_only: bool
    ) -> Connector:
        """Creates a connector and has its tools discovered in the background.

        Raises:
            ForbiddenError: It is not the caller's to create.
            ConnectorExistsError: The name is taken.
            InvalidArgumentError: It is not one that can be, or that is allowed.
        """
        who.require(spec.owner)
        spec = self._rules.checked(with_kept_secrets(spec, None))
        async with tenant_transaction(self._engine, tenant) as connection:
            created = await self._connectors.create(connection, tenant, name, spec)
            if validate_only:
                await connection.rollback()
                return created
        self._discoveries.start(tenant, name)
        return created

    async def get(self, tenant: UUID, who: Who, name: str) -> Connector:
        """Returns a connector, or raises `ConnectorNotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            connector = (await self._connectors.get(connection, tenant, name)).connector
        if not who.sees(connector.owner):
            raise ConnectorNotFoundError(name)
        return connector

    async def page(self, tenant: UUID, who: Who, *, after: str, limit: int) -> list[Connector]:
        """Returns connectors by name, from behind `after` on."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await self._connectors.page(
                connection, tenant, principal=who.narrowed_to, after=after, limit=limit
            )

    async def update(
        self,
        tenant: UUID,
        who: Who,
        name: str,
        spec: Spec,
        *,
        etag: str,
        allow_missing: bool,
        validate_only: bool,
    ) -> tuple[Connector, Change]:
        """Makes a connector what the caller says; another server evicts its tools at once.

        Raises:
            ForbiddenError: It is not the caller's to change.
            ConnectorNotFoundError: There is none, and `allow_missing` is not set.
            EtagMismatchError: It was changed since the caller read it.
            InvalidArgumentError: It is not one that can be, or that is allowed.
        """
        who.require(spec.owner)
        async with tenant_transaction(self._engine, tenant) as connection:
            try:
                stored = await self._connectors.lock(connection, tenant, name)
            except ConnectorNotFoundError:
                if not allow_missing or etag:
                    raise
                connector, change = await self._made(connection, tenant, who, name, spec)
            else:
                connector, change = await self._changed(connection, tenant, who, stored, spec, etag)
            if validate_only:
                await connection.rollback()
        if change is not Change.UNCHANGED and not validate_only:
            self._discoveries.start(tenant, name)
        return connector, change

    async def _made(
        self, connection: AsyncConnection, tenant: UUID, who: Who, name: str, spec: Spec
    ) -> tuple[Connector, Change]:
        """Makes a connector, or what somebody made of that name meanwhile the same."""
        new = self._rules.checked(with_kept_secrets(spec, None))
        try:
            made = await self._connectors.create(connection, tenant, name, new)
        except ConnectorExistsError:
            stored = await self._connectors.lock(connection, tenant, name)
            return await self._changed(connection, tenant, who, stored, spec, "")
        return made, Change.CREATED

    async def _changed(
        self,
        connection: AsyncConnection,
        tenant: UUID,
        who: Who,
        stored: StoredConnector,
        spec: Spec,
        etag: str,
    ) -> tuple[Connector, Change]:
        name = stored.connector.name
        who.require(stored.spec.owner)
        _require_etag(stored.connector, etag)
        if spec.owner != stored.spec.owner:
            raise InvalidArgumentError("connector.owner", "cannot be changed")
        spec = self._rules.checked(with_kept_secrets(spec, stored.spec))
        if spec == stored.spec:
            return stored.connector, Change.UNCHANGED
        if spec.place != stored.spec.place:
            # Another server: what was approved of the old one says nothing of it, and what
            # persons lent to the old one is not for it.
            await pins.unpin(connection, tenant, name)
            await self._connectors.forget_credentials(connection, tenant, name)
        evict = spec.endpoint != stored.spec.endpoint or spec.personal != stored.spec.personal
        connector = await self._connectors.replace(connection, tenant, name, spec, evict=evict)
        return connector, Change.CHANGED

    async def refresh(self, tenant: UUID, who: Who, name: str) -> Connector:
        """Discovers a connector's tools now, or waits for who does; returns how it then fares.

        Raises:
            ForbiddenError: It is not the caller's.
            ConnectorNotFoundError: There is none.
        """
        connector = await self.get(tenant, who, name)
        who.require(connector.owner)
        await self._discoveries.refresh(tenant, name, seconds=_REFRESH_SECONDS)
        return await self.get(tenant, who, name)

    async def delete(self, tenant: UUID, who: Who, name: str, *, etag: str) -> None:
        """Deletes a connector and its tools.

        Raises:
            ForbiddenError: It is not the caller's, or, to who is no admin, is not there.
            ConnectorNotFoundError: There is none.
            EtagMismatchError: It was changed since the caller read it.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            try:
                stored = await self._connectors.lock(connection, tenant, name)
            except ConnectorNotFoundError:
                who.require("")
                raise
            who.require(stored.spec.owner)
            _require_etag(stored.connector, etag)
            await self._connectors.delete(connection, tenant, name)

    async def probe(self, tenant: UUID, who: Who, spec: Spec) -> Probe:
        """Tries a connector out that need not be stored.

        Raises:
            InvalidArgumentError: It is not one that can be, or that is allowed.
        """
        checked = self._rules.checked(with_kept_secrets(spec, None))
        try:
            async with tenant_transaction(self._engine, tenant) as connection:
                filled, veil = await self._connectors.for_probe(
                    connection, tenant, checked, who.principal
                )
        except VariableUnusableError as error:
            return Probe(fault=Fault.VARIABLE, message=str(error), seconds=0.0)
        return await probe(self._links, tenant, filled, veil)


def _require_etag(connector: Connector, etag: str) -> None:
    if etag and etag != connector.etag:
        raise EtagMismatchError(connector.etag)
