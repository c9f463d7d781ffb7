"""Connectors, kept in Postgres; their secrets sealed."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.database.envelope import Envelope
from turnpike.tool_registry.model import (
    Connector,
    ConnectorExistsError,
    ConnectorNotFoundError,
    ConnectorState,
    Endpoint,
    Transport,
)

_INSERT = text(
    "INSERT INTO connectors (tenant, name, transport, url, command, headers, env,"
    " header_names, env_names, etag)"
    " VALUES (:tenant, :name, :transport, :url, CAST(:command AS jsonb), :headers, :env,"
    " :header_names, :env_names, :etag)"
    " ON CONFLICT (tenant, name) DO NOTHING RETURNING *"
)
# Evicts in the same statement: tools of the old generation are never listed again,
# and a discovery under way finds its generation gone.
_UPDATE = text(
    "UPDATE connectors SET transport = :transport, url = :url,"
    " command = CAST(:command AS jsonb), headers = :headers, env = :env,"
    " header_names = :header_names, env_names = :env_names, etag = :etag,"
    " generation = generation + 1, revision = revision + 1, discovered = false,"
    " state = '', state_reason = '', failures = 0, refresh_at = statement_timestamp(),"
    " updated = statement_timestamp()"
    " WHERE tenant = :tenant AND name = :name RETURNING *"
)
_GET = text("SELECT * FROM connectors WHERE tenant = :tenant AND name = :name")
_LOCK = text("SELECT * FROM connectors WHERE tenant = :tenant AND name = :name FOR UPDATE")
_LIST = text(
    "SELECT * FROM connectors WHERE tenant = :tenant AND name > :after ORDER BY name LIMIT :limit"
)
_DELETE = text("DELETE FROM connectors WHERE tenant = :tenant AND name = :name")


@dataclass(frozen=True, slots=True)
class StoredConnector:
    """A connector with what it takes to speak to it."""

    connector: Connector
    endpoint: Endpoint


class Connectors:
    """The connectors of every tenant.

    Every method takes a transaction of the tenant that it works for.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    async def create(
        self, connection: AsyncConnection, tenant: UUID, name: str, endpoint: Endpoint
    ) -> Connector:
        """Stores a connector, or raises `ConnectorExistsError`."""
        row = (
            await connection.execute(_INSERT, self._columns(tenant, name, endpoint))
        ).one_or_none()
        if row is None:
            raise ConnectorExistsError(name)
        return _to_connector(row)

    async def replace(
        self, connection: AsyncConnection, tenant: UUID, name: str, endpoint: Endpoint
    ) -> Connector:
        """Changes a connector and evicts its tools, or raises `ConnectorNotFoundError`."""
        row = (
            await connection.execute(_UPDATE, self._columns(tenant, name, endpoint))
        ).one_or_none()
        if row is None:
            raise ConnectorNotFoundError(name)
        return _to_connector(row)

    async def get(self, connection: AsyncConnection, tenant: UUID, name: str) -> StoredConnector:
        """Returns a connector, or raises `ConnectorNotFoundError`."""
        return self._stored(await _one(connection, _GET, tenant, name), tenant)

    async def lock(self, connection: AsyncConnection, tenant: UUID, name: str) -> StoredConnector:
        """Returns a connector that nobody else changes until the transaction ends."""
        return self._stored(await _one(connection, _LOCK, tenant, name), tenant)

    async def page(
        self, connection: AsyncConnection, tenant: UUID, *, after: str, limit: int
    ) -> list[Connector]:
        """Returns connectors by name, from behind `after` on."""
        rows = await connection.execute(_LIST, {"tenant": tenant, "after": after, "limit": limit})
        return [_to_connector(row) for row in rows]

    async def delete(self, connection: AsyncConnection, tenant: UUID, name: str) -> None:
        """Deletes a connector and its tools."""
        await connection.execute(_DELETE, {"tenant": tenant, "name": name})

    def _columns(self, tenant: UUID, name: str, endpoint: Endpoint) -> dict[str, Any]:
        return {
            "tenant": tenant,
            "name": name,
            "transport": endpoint.transport.value,
            "url": endpoint.url,
            "command": orjson.dumps(endpoint.command).decode(),
            "headers": self._envelope.seal(tenant, orjson.dumps(endpoint.headers).decode()),
            "env": self._envelope.seal(tenant, orjson.dumps(endpoint.env).decode()),
            "header_names": sorted(endpoint.headers),
            "env_names": sorted(endpoint.env),
            "etag": uuid4().hex,
        }

    def _stored(self, row: Any, tenant: UUID) -> StoredConnector:
        endpoint = Endpoint(
            transport=Transport(row.transport),
            url=row.url,
            command=tuple(row.command),
            headers=orjson.loads(self._envelope.open(tenant, row.headers)),
            env=orjson.loads(self._envelope.open(tenant, row.env)),
        )
        return StoredConnector(_to_connector(row), endpoint)


async def _one(connection: AsyncConnection, statement: Any, tenant: UUID, name: str) -> Any:
    row = (await connection.execute(statement, {"tenant": tenant, "name": name})).one_or_none()
    if row is None:
        raise ConnectorNotFoundError(name)
    return row


def _to_connector(row: Any) -> Connector:
    return Connector(
        name=row.name,
        transport=Transport(row.transport),
        url=row.url,
        command=tuple(row.command),
        header_names=tuple(row.header_names),
        env_names=tuple(row.env_names),
        state=ConnectorState(row.state),
        state_reason=row.state_reason,
        etag=row.etag,
        generation=row.generation,
        create_time=row.created,
        update_time=row.updated,
    )
