"""Connectors, kept in Postgres; their secrets sealed."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.database.envelope import Envelope, SealBrokenError
from turnpike.tool_registry import bindings
from turnpike.tool_registry.credentials import Credentials, Loan
from turnpike.tool_registry.errors import (
    ConnectorExistsError,
    ConnectorNotFoundError,
    CredentialMissingError,
)
from turnpike.tool_registry.filling import filled, names_of
from turnpike.tool_registry.model import Connector, ConnectorState, Endpoint, Fault, Spec, Transport
from turnpike.tool_registry.variables import Variables, secrets_in
from turnpike.tool_registry.veils import NONE, Veil

_INSERT = text(
    "INSERT INTO connectors (tenant, name, transport, url, command, headers, env,"
    " header_names, env_names, variables, etag, owner, enabled, personal, distrusted,"
    " revision)"
    " VALUES (:tenant, :name, :transport, :url, CAST(:command AS jsonb), :headers, :env,"
    " :header_names, :env_names, :variables, :etag, :owner, :enabled, :personal, :distrusted,"
    # What replicas keep of a connector that had this name before is of no revision of this one.
    " (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
    " ON CONFLICT (tenant, name) DO NOTHING RETURNING *"
)
_CHANGES = (
    "UPDATE connectors SET transport = :transport, url = :url,"
    " command = CAST(:command AS jsonb), headers = :headers, env = :env,"
    " header_names = :header_names, env_names = :env_names, variables = :variables, etag = :etag,"
    " enabled = :enabled,"
    " personal = :personal, distrusted = :distrusted, revision = revision + 1,"
    " updated = statement_timestamp(), refresh_at = statement_timestamp(), claimed_until = NULL"
)
# Evicts in the same statement: tools of the old generation are never listed again,
# and a discovery under way finds its generation gone.
_REPLACE = text(
    f"{_CHANGES}, generation = generation + 1, discovered = false, discovered_at = NULL,"
    " state = '', state_reason = '', fault = '', warnings = '{}', failures = 0, listener = NULL"
    " WHERE tenant = :tenant AND name = :name RETURNING *"
)
_ADJUST = text(f"{_CHANGES} WHERE tenant = :tenant AND name = :name RETURNING *")
_GET = text("SELECT * FROM connectors WHERE tenant = :tenant AND name = :name")
_LOCK = text("SELECT * FROM connectors WHERE tenant = :tenant AND name = :name FOR UPDATE")
_LIST = text(
    "SELECT * FROM connectors WHERE tenant = :tenant AND name > :after"
    " AND (:principal = '' OR owner IN ('', :principal)) ORDER BY name LIMIT :limit"
)
_DELETE = text("DELETE FROM connectors WHERE tenant = :tenant AND name = :name")


@dataclass(frozen=True, slots=True)
class StoredConnector:
    """A connector with what it takes to speak to it."""

    connector: Connector
    spec: Spec
    loan: Loan | None = None
    """The credential that the endpoint carries, if it does."""

    variables: str = ""
    """The version of the variables that the endpoint is filled in with, if it is."""

    veil: Veil = NONE
    """Keeps the variables that are secret out of texts."""

    @property
    def credential(self) -> str:
        """The version of the credential and of the variables; empty without any."""
        return (self.loan.version if self.loan else "") + self.variables

    @property
    def endpoint(self) -> Endpoint:
        """Where it is, and what it is given."""
        return self.spec.endpoint


class Connectors:
    """The connectors of every tenant.

    Every method takes a transaction of the tenant that it works for.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._credentials = Credentials(envelope)
        self._variables = Variables(envelope)

    async def create(
        self, connection: AsyncConnection, tenant: UUID, name: str, spec: Spec
    ) -> Connector:
        """Stores a connector, or raises `ConnectorExistsError`."""
        row = (await connection.execute(_INSERT, self._columns(tenant, name, spec))).one_or_none()
        if row is None:
            raise ConnectorExistsError(name)
        return _to_connector(row)

    async def replace(
        self, connection: AsyncConnection, tenant: UUID, name: str, spec: Spec, *, evict: bool
    ) -> Connector:
        """Changes a connector, or raises `ConnectorNotFoundError`.

        With `evict` its tools are gone until they are discovered again.
        """
        statement = _REPLACE if evict else _ADJUST
        row = (await connection.execute(statement, self._columns(tenant, name, spec))).one_or_none()
        if row is None:
            raise ConnectorNotFoundError(name)
        return _to_connector(row)

    async def get(self, connection: AsyncConnection, tenant: UUID, name: str) -> StoredConnector:
        """Returns a connector, or raises `ConnectorNotFoundError`."""
        return self._stored(await _one(connection, _GET, tenant, name))

    async def for_call(
        self, connection: AsyncConnection, tenant: UUID, name: str, principal: str
    ) -> StoredConnector:
        """Returns a connector with its requester's credential, or the shared one, over its own.

        What it names has its requester's values.

        Raises:
            ConnectorNotFoundError: There is none.
            VariableUnusableError: It names a variable that the requester has not.
            CredentialMissingError: The requester has none, and the connector wants one.
        """
        stored = await self.get(connection, tenant, name)
        stored = await self._filled(connection, tenant, stored, principal)
        loan = await self._credentials.for_call(
            connection, tenant, name, principal, personal=stored.spec.personal
        )
        if loan is None and stored.spec.personal:
            raise CredentialMissingError(name)
        return _with_loan(stored, loan)

    async def for_discovery(
        self, connection: AsyncConnection, tenant: UUID, name: str
    ) -> StoredConnector:
        """Returns a connector as its tools are found out.

        Where only persons have credentials, or variables, the newest one's are used; else
        the owner's, or the shared one.

        Raises:
            ConnectorNotFoundError: There is none.
            VariableUnusableError: It names a variable that nobody has.
        """
        stored = await self.get(connection, tenant, name)
        if stored.spec.personal:
            loan = await self._credentials.find_newest(connection, tenant, name)
        else:
            loan = await self._credentials.for_call(
                connection, tenant, name, stored.spec.owner, personal=False
            )
        whose = stored.spec.owner or (loan.principal if loan else "")
        if not whose and (names := names_of(stored.endpoint)):
            whose = await self._variables.newest_owner(connection, tenant, names)
        return _with_loan(await self._filled(connection, tenant, stored, whose), loan)

    async def for_probe(
        self, connection: AsyncConnection, tenant: UUID, spec: Spec, principal: str
    ) -> tuple[Spec, Veil]:
        """Returns a connector that need not be stored with a person's values in it.

        Raises:
            VariableUnusableError: It names a variable that the person has not.
        """
        names = names_of(spec.endpoint)
        if not names:
            return spec, NONE
        found = await self._variables.values(connection, tenant, principal, names)
        return replace(spec, endpoint=filled(spec.endpoint, found, spec.owner)), Veil(
            secrets_in(found.values())
        )

    async def _filled(
        self, connection: AsyncConnection, tenant: UUID, stored: StoredConnector, principal: str
    ) -> StoredConnector:
        names = names_of(stored.endpoint)
        if not names:
            return stored
        found = await self._variables.values(connection, tenant, principal, names)
        endpoint = filled(stored.endpoint, found, stored.spec.owner)
        versions = "/".join(found[name].version for name in sorted(found))
        return replace(
            stored,
            spec=replace(stored.spec, endpoint=endpoint),
            # Connections are kept by it: another value is another connection.
            variables=hashlib.sha256(versions.encode()).hexdigest(),
            veil=Veil(secrets_in(found.values())),
        )

    async def note_scope(
        self, connection: AsyncConnection, tenant: UUID, name: str, loan: Loan, scope: str
    ) -> None:
        """Notes what a credential falls short of."""
        await self._credentials.note_scope(connection, tenant, name, loan, scope)

    async def lock(self, connection: AsyncConnection, tenant: UUID, name: str) -> StoredConnector:
        """Returns a connector that nobody else changes until the transaction ends."""
        return self._stored(await _one(connection, _LOCK, tenant, name))

    async def forget_credentials(
        self, connection: AsyncConnection, tenant: UUID, name: str
    ) -> None:
        """Drops what persons lent to a connector."""
        await self._credentials.delete_all(connection, tenant, name)

    async def page(
        self, connection: AsyncConnection, tenant: UUID, *, principal: str, after: str, limit: int
    ) -> list[Connector]:
        """Returns the connectors that a principal sees by name, from behind `after` on."""
        values = {"tenant": tenant, "principal": principal, "after": after, "limit": limit}
        return [_to_connector(row) for row in await connection.execute(_LIST, values)]

    async def delete(self, connection: AsyncConnection, tenant: UUID, name: str) -> None:
        """Deletes a connector and its tools."""
        await connection.execute(_DELETE, {"tenant": tenant, "name": name})

    def _columns(self, tenant: UUID, name: str, spec: Spec) -> dict[str, Any]:
        endpoint, bound = spec.endpoint, bindings.of_connector(tenant, name)
        return {
            "tenant": tenant,
            "name": name,
            "transport": endpoint.transport.value,
            "url": endpoint.url,
            "command": orjson.dumps(endpoint.command).decode(),
            "headers": self._envelope.seal(bound, orjson.dumps(endpoint.headers).decode()),
            "env": self._envelope.seal(bound, orjson.dumps(endpoint.env).decode()),
            "header_names": sorted(endpoint.headers),
            "env_names": sorted(endpoint.env),
            "variables": sorted(names_of(endpoint)),
            "etag": uuid4().hex,
            "owner": spec.owner,
            "enabled": spec.enabled,
            "personal": spec.personal,
            "distrusted": spec.distrusted,
        }

    def _opened(self, row: Any, sealed: str) -> str:
        try:
            return self._envelope.open(bindings.of_connector(row.tenant, row.name), sealed)
        except SealBrokenError:
            # As an older version sealed it; `reseal` leaves none of these.
            return self._envelope.open(row.tenant, sealed)

    def _stored(self, row: Any) -> StoredConnector:
        endpoint = Endpoint(
            transport=Transport(row.transport),
            url=row.url,
            command=tuple(row.command),
            headers=orjson.loads(self._opened(row, row.headers)),
            env=orjson.loads(self._opened(row, row.env)),
        )
        spec = Spec(
            endpoint=endpoint,
            owner=row.owner,
            enabled=row.enabled,
            personal=row.personal,
            distrusted=row.distrusted,
        )
        return StoredConnector(_to_connector(row), spec)


def _with_loan(stored: StoredConnector, loan: Loan | None) -> StoredConnector:
    if loan is None:
        return stored
    lower = {name.lower() for name in loan.headers}
    kept = {
        name: value for name, value in stored.endpoint.headers.items() if name.lower() not in lower
    }
    endpoint = replace(stored.endpoint, headers={**kept, **loan.headers}, serial=loan.serial)
    return replace(stored, spec=replace(stored.spec, endpoint=endpoint), loan=loan)


async def _one(connection: AsyncConnection, statement: Any, tenant: UUID, name: str) -> Any:
    row = (await connection.execute(statement, {"tenant": tenant, "name": name})).one_or_none()
    if row is None:
        raise ConnectorNotFoundError(name)
    return row


def _to_connector(row: Any) -> Connector:
    return Connector(
        name=row.name,
        owner=row.owner,
        enabled=row.enabled,
        personal=row.personal,
        distrusted=row.distrusted,
        fault=Fault(row.fault),
        warnings=tuple(row.warnings),
        discover_time=row.discovered_at,
        transport=Transport(row.transport),
        url=row.url,
        command=tuple(row.command),
        header_names=tuple(row.header_names),
        env_names=tuple(row.env_names),
        variables=tuple(row.variables),
        state=ConnectorState(row.state) if row.enabled else ConnectorState.DISABLED,
        state_reason=row.state_reason,
        etag=row.etag,
        generation=row.generation,
        create_time=row.created,
        update_time=row.updated,
    )
